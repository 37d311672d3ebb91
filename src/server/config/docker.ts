import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Variables } from './variables';

/** How a Docker Engine is reached. */
export type DockerAddress =
  | { socketPath: string }
  | { host: string; port: number; protocol: 'https'; ca: Buffer; cert: Buffer; key: Buffer };

const FORM = 'unix:///var/run/docker.sock, or tcp://host:2376 together with APP_SUPERVISOR_DOCKER_CERT_PATH';
const DEFAULT_PORT = 2376;

const isAddress = (text: string): boolean => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'unix:') return url.pathname.length > 1 && !url.host;
  return url?.protocol === 'tcp:' && url.hostname !== '';
};

/**
 * `APP_SUPERVISOR_DOCKER`, `APP_SUPERVISOR_DOCKER_CERT_PATH`. An engine without certificates would obey everybody on its network, so it
 * is refused.
 * @returns null if there is none
 */
export function dockerOf(variables: Variables): DockerAddress | null {
  const folder = variables.env.APP_SUPERVISOR_DOCKER_CERT_PATH;
  const text = variables.read('APP_SUPERVISOR_DOCKER', z.string().refine(isAddress), FORM, '');
  if (!text || !isAddress(text)) return null;
  const url = new URL(text);
  if (url.protocol === 'unix:') return { socketPath: url.pathname };
  if (!folder) {
    variables.problems.push(
      'APP_SUPERVISOR_DOCKER_CERT_PATH is not set; it must be a folder with ca.pem, cert.pem and key.pem, because APP_SUPERVISOR_DOCKER is a TCP address.',
    );
    return null;
  }
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) =>
    contentOf(path.join(folder, name), variables),
  );
  if (!ca || !cert || !key) return null;
  return { host: url.hostname, port: Number(url.port) || DEFAULT_PORT, protocol: 'https', ca, cert, key };
}

function contentOf(file: string, variables: Variables): Buffer | null {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    variables.problems.push(`${file} cannot be read (${code}); APP_SUPERVISOR_DOCKER_CERT_PATH names its folder.`);
    return null;
  }
}
