/** Fleets on this machine, for `npm start`, end-to-end tests, chaos tests and benchmarks. */
export { Api, ApiError } from './api';
export type { FleetConfig, FleetOptions } from './config';
export { ADMIN, APP_ADMIN } from './environment';
export { Fleet, type Progress } from './fleet';
export { Instance } from './instance';
export { Part, PartError } from './part';
export { freePort, freePorts, HOST } from './ports';
export { ensureDatabase, Postgres, type PostgresServer, query } from './postgres';
export { Redis } from './redis';
export { waitFor, waitForHttp } from './wait';
