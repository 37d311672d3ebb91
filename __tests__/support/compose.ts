import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../../scripts/lib/root.mjs';

/** docker-compose.yml as an engine of containers reads it, with nothing set beside it. */

export type Env = Record<string, string | undefined>;

export interface Service {
  environment?: Env;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  ports?: string[];
  command?: string[];
  entrypoint?: string[];
  volumes?: string[];
}

/** `${NAME:-default}` with an empty environment. */
const interpolate = (text: string) => text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');

export const { services, volumes } = parse(
  interpolate(fs.readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8')),
  {
    merge: true,
  },
) as { services: Record<string, Service>; volumes: Record<string, null> };

/** The three that are NocoBase, each with its name in the fleet. */
export const INSTANCES = { supervisor: 'supervisor', worker_a: 'env_a', worker_b: 'env_b' };

/** What the service `keys` leaves in its volume, for all three to share. */
export function makeKeys(file: string, env: Env = {}): Env {
  execFileSync('sh', [path.join(ROOT, 'docker/create-keys.sh'), file], { env: { PATH: process.env.PATH, ...env } });
  return Object.fromEntries(
    [...fs.readFileSync(file, 'utf8').matchAll(/^(\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]),
  );
}
