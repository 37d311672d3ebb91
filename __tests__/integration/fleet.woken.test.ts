import { fleetSuite } from './fleet-suite';

fleetSuite(true, false);
