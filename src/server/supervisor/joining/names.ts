/** Names that are derived from the name of an environment, for databases and containers. */

/** In characters; PostgreSQL's names have 63. */
const LONGEST = 50;

/** Lower case letters, digits and the separator: two environments may have the same. */
export const identifierOf = (environment: string, separator: '_' | '-'): string =>
  environment
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, separator)
    .slice(0, LONGEST);

/** Of its main database, and of its database role if it has its own. */
export const databaseOf = (environment: string): string => `nocobase_${identifierOf(environment, '_')}`;

/** Of its container, which has the same name on its network. */
export const containerOf = (environment: string): string => `worker-${identifierOf(environment, '-')}`;
