import { fleetSuite } from './fleet-suite';

fleetSuite(false);
