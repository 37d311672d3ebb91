import { fleetSuite } from '../integration/fleet-suite';

fleetSuite(false);
