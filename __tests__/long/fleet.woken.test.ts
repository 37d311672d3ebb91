import { fleetSuite } from '../integration/fleet-suite';

fleetSuite(true);
