/** The keys of the control loop: apps, environments, the app index, the routes, and the fleet as a whole. */

/** One incarnation of an app, alive or deleted. */
export const appKey = ({ name, uid }: { name: string; uid: string }): string => `app:${name}:${uid}`;
export const environmentKey = (name: string): string => `environment:${name}`;
/** Failover from an environment, and back to it: it asks Workers, and delays nothing else. */
export const failoverKey = (environment: string): string => `failover:${environment}`;
/** The app index, which Workers read. */
export const INDEX = 'index';
/** The routes, which doors read. */
export const ROUTES = 'routes';
/** Definitions, operations and the store's owner, compared as a whole every 30 s; clean-up once an hour. */
export const FLEET = 'fleet';

/** What a key is about. Names of apps and of environments contain no colon (shared/names.ts). */
export const partsOf = (key: string): string[] => key.split(':');
