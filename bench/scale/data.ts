import { type PostgresServer, query } from '../../scripts/fleet';

/** The number of environments and apps of a fleet, and the number of environments of each app. */
export interface Size {
  environments: number;
  apps: number;
  spread: number;
}

export const nameOf = (size: Size): string =>
  `${size.environments} environments, ${size.apps} apps${size.spread > 1 ? ` in ${size.spread} each` : ''}`;

/** Number of pairs of app and environment. */
export const pairsOf = ({ apps, spread }: Size): number => apps * spread;

export const environmentsOf = ({ environments }: Size): string[] =>
  Array.from({ length: environments }, (_, i) => `env_${String(i + 1).padStart(3, '0')}`);

export const appName = (i: number): string => `bench${String(i).padStart(5, '0')}`;

/**
 * Writes a fleet of that size into the Supervisor's database, as if everything had been created and started some time
 * ago.
 */
export async function writeApps(server: PostgresServer, database: string, { apps, environments, spread }: Size) {
  const generation = Date.now();
  await query(server, database, 'DELETE FROM "appOperations"');
  await query(server, database, 'DELETE FROM "appTombstones"');
  await query(server, database, 'DELETE FROM "appEnvironments"');
  await query(server, database, 'DELETE FROM apps');
  // As somebody who admitted them: at the addresses that the simulated Workers report.
  await query(
    server,
    database,
    `INSERT INTO "appEnvironments" (name, registration, "proxyUrls", "lastSeenAt", cordoned, "isRemoved", floor, "createdAt", "updatedAt")
     SELECT name, '{}', json_build_array('http://127.0.0.1:1/' || name, 'http://' || name || ':15000'), 0, false, false, 0, now(), now()
     FROM (SELECT 'env_' || lpad(i::text, 3, '0') AS name FROM generate_series(1, $1::int) i) names`,
    [environments],
  );
  await query(
    server,
    database,
    `INSERT INTO apps (name, uid, title, pinned, hidden, sort, environments, "targetEnvironment", desired, "startMode",
       "autoUpgrade", database, generation, placements, provision, published, "jwtSecret", "createdAt", "updatedAt")
     SELECT 'bench' || lpad(i::text, 5, '0'), gen_random_uuid(), 'App number ' || i, false, false, i,
       place.names, place.first, 'running', 'withMain', true, '{"dbConnType":"new_database","database":"nowhere"}',
       $1::bigint, wanted.placements, 'none', wanted.published, gen_random_uuid()::text, now(), now()
     FROM generate_series(1, $2::int) i
     CROSS JOIN (SELECT json_build_object('generation', $1::bigint, 'how', 'start') AS boot) asked
     CROSS JOIN LATERAL (
       SELECT json_agg(name ORDER BY name) AS names, min(name) AS first
       FROM (SELECT 'env_' || lpad(((i + k) % $3::int + 1)::text, 3, '0') AS name FROM generate_series(1, $4::int) k) names
     ) place
     CROSS JOIN LATERAL (
       SELECT json_object_agg(name, json_build_object('generation', $1::bigint, 'want', 'running', 'boot', asked.boot)) AS placements,
         json_object_agg(name, json_build_object('generation', $1::bigint, 'boot', asked.boot, 'desired', 'running',
           'provision', 'none', 'data', 'keep', 'hosts', place.names, 'left', '[]'::json)) AS published
       FROM json_array_elements_text(place.names) name
     ) wanted`,
    [generation, apps, environments, spread],
  );
}
