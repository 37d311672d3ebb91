import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../../scripts/lib/root.mjs';

/** docker-compose.yml as an engine of containers reads it, with nothing set beside it. */

export type Env = Record<string, string | undefined>;

export interface Service {
  image?: string;
  build?: { args: Record<string, string> };
  environment?: Env;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  ports?: string[];
  command?: string[];
  entrypoint?: string[];
  volumes?: (string | { type: string; target: string })[];
  user?: string;
  read_only?: boolean;
  cap_drop?: string[];
  cap_add?: string[];
  security_opt?: string[];
  tmpfs?: string[];
}

/** `${NAME:-default}`, also within a default, with an empty environment; `$$` is a dollar. */
const interpolate = (text: string) => {
  const variable = /\$\{\w+:-([^${}]*)\}/g;
  return text.replace(variable, '$1').replace(variable, '$1').replaceAll('$$', '$');
};

export const { services, volumes } = parse(
  interpolate(fs.readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8')),
  {
    merge: true,
  },
) as { services: Record<string, Service>; volumes: Record<string, null> };

/** The three that are NocoBase, each with its name in the fleet. */
export const INSTANCES = { supervisor: 'supervisor', worker_a: 'env_a', worker_b: 'env_b' };

/** What the service `keys` leaves in its volumes. */
export interface Made {
  /** For all three to share. */
  keys: Env;
  /** For the Supervisor alone. */
  password: Env;
}

/** @throws if it refuses what it is given */
export function makeKeys(folder: string, env: Env = {}): Made {
  const files = { keys: path.join(folder, 'fleet.env'), password: path.join(folder, 'supervisor.env') };
  const redis = path.join(folder, 'redis.conf');
  execFileSync('sh', [path.join(ROOT, 'docker/create-keys.sh'), files.keys, files.password, redis], {
    env: { PATH: process.env.PATH, ...env },
    stdio: 'pipe',
  });
  return { keys: readVariables(files.keys), password: readVariables(files.password) };
}

/** What the service `roles` does with the PostgreSQL at this address. */
export function makeRoles(folder: string, { host, port }: { host: string; port: number }): void {
  const docker = path.join(ROOT, 'docker');
  execFileSync('sh', [path.join(docker, 'database-roles.sh'), path.join(folder, 'fleet.env'), folder, docker], {
    env: { PATH: process.env.PATH, PGHOST: host, PGPORT: String(port), PGUSER: 'postgres' },
    stdio: 'pipe',
  });
}

/** As the shell of a container reads the file. */
function readVariables(file: string): Env {
  const script = 'set -a; . "$1"; exec "$2" -e "console.log(JSON.stringify(process.env))"';
  const text = execFileSync('sh', ['-c', script, '-', file, process.execPath], { env: {}, encoding: 'utf8' });
  const { PWD, SHLVL, _, ...variables } = JSON.parse(text);
  return variables;
}
