import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
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
  networks?: string[] | Record<string, { ipv4_address?: string; aliases?: string[] } | null>;
}

/** `${NAME:-default}`, also within a default, with an empty environment; `$$` is a dollar. */
const interpolate = (text: string) => {
  const variable = /\$\{\w+:-([^${}]*)\}/g;
  return text.replace(variable, '$1').replace(variable, '$1').replaceAll('$$', '$');
};

export const { services, volumes, networks } = parse(
  interpolate(fs.readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8')),
  {
    merge: true,
  },
) as {
  services: Record<string, Service>;
  volumes: Record<string, null>;
  networks: Record<string, { ipam?: { config: { subnet: string; ip_range: string }[] } }>;
};

/** The three that are NocoBase, each with its name in the fleet. */
export const INSTANCES = { supervisor: 'supervisor', worker_a: 'env_a', worker_b: 'env_b' };

/** What the service `keys` leaves in its volumes. */
export interface Made {
  /** For the Supervisor alone. */
  keys: Env;
  password: Env;
  /** For the Worker of an environment alone. */
  worker(environment: string): Env;
  /** For the door alone. */
  door: Env;
  /** What it said. */
  output: string;
}

/** Folders of volumes, as its container has them. */
const VOLUMES = [
  'keys',
  'password',
  'postgres',
  'redis',
  'door',
  ...Object.values(INSTANCES)
    .slice(1)
    .map((name) => `workers/${name}`),
];

/** @throws if it refuses what it is given */
export function makeKeys(folder: string, env: Env = {}): Made {
  for (const volume of VOLUMES) fs.mkdirSync(path.join(folder, volume), { recursive: true });
  const output = execFileSync('sh', [path.join(ROOT, 'docker/create-keys.sh'), folder], {
    env: { PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`, KEYS_PROGRAM: keysProgram(), ...env },
    stdio: 'pipe',
    encoding: 'utf8',
  });
  const read = (name: string) => readVariables(path.join(folder, name));
  return {
    keys: read('keys/fleet.env'),
    password: read('password/supervisor.env'),
    worker: (environment) => read(`workers/${environment}/worker.env`),
    door: read('door/door.env'),
    output,
  };
}

let program: string | null = null;

/** `dist/server/keys.js` of these sources. */
export function keysProgram(): string {
  if (!program) {
    const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-keys-'));
    process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
    program = path.join(folder, 'keys.js');
    const esbuild = path.join(ROOT, 'node_modules/.bin/esbuild');
    const options = ['--bundle', '--platform=node', '--log-level=error', `--outfile=${program}`];
    execFileSync(esbuild, [path.join(ROOT, 'src/server/keys.ts'), ...options]);
  }
  return program;
}

/** What the service `roles` does with the PostgreSQL at this address. */
export function makeRoles(folder: string, { host, port }: { host: string; port: number }): void {
  const docker = path.join(ROOT, 'docker');
  execFileSync('sh', [path.join(docker, 'database-roles.sh'), folder, docker], {
    env: { PATH: process.env.PATH, PGHOST: host, PGPORT: String(port), PGUSER: 'postgres' },
    stdio: 'pipe',
  });
}

/** As the shell of a container reads the file. */
function readVariables(file: string): Env {
  const text = execFileSync('sh', ['-c', 'set -a; . "$1"; exec env -0', '-', file], { env: {}, encoding: 'utf8' });
  const pairs = text.split('\0').filter(Boolean);
  const { PWD, SHLVL, _, ...variables } = Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
  return variables;
}
