import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker, dockerEnv } from '../../scripts/docker/engine';
import { ROOT } from '../../scripts/lib/root.mjs';
import { systemClock } from '../../src/server/clock';
import { DockerDriver } from '../../src/server/supervisor/containers/docker';
import { driverContract } from '../contracts/driver-suite';
import { services } from '../support/compose';
import { ask } from '../support/http';
import { recordedLog } from '../support/log';

/** The driver of Docker, on a real engine, with a program in place of NocoBase. */

const { NODE_IMAGE } = services.supervisor.build!.args;
const IMAGES: [string, string] = ['app-supervisor-test:one', 'app-supervisor-test:two'];

const PROGRAM = `
const fs = require('node:fs');
const { DOES, FILE, FROM_SPEC, IMAGE, SECRET_KEY } = process.env;
if (DOES === 'dies') { console.error('It cannot go on.'); process.exit(3); }
if (DOES === 'grows') { const all = []; setInterval(() => all.push(Buffer.alloc(16 << 20, 1)), 20); }
else {
  const file = '/app/nocobase/storage/file';
  const stored = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : 'nothing';
  console.log(['of ' + IMAGE, FROM_SPEC, SECRET_KEY, 'stored: ' + stored].join('\\n'));
  fs.writeFileSync(file, FILE);
  const servers = [80, 13000].map((port) => require('node:http').createServer((_, res) => res.end('ready')).listen(port));
  process.on('SIGTERM', () => process.exit(0));
}
`;

const socketPath = new URL(dockerEnv().DOCKER_HOST!).pathname;
const driverFor = (fleet: string) =>
  new DockerDriver({
    address: { socketPath },
    network: null,
    fleet: () => fleet,
    clock: systemClock,
    log: recordedLog(),
  });

beforeAll(async () => {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-driver-'));
  fs.writeFileSync(path.join(folder, 'program.js'), PROGRAM);
  fs.copyFileSync(path.join(ROOT, 'docker/start.sh'), path.join(folder, 'start.sh'));
  fs.writeFileSync(path.join(folder, 'entrypoint.sh'), '#!/bin/sh\nexec node /program.js\n', { mode: 0o755 });
  const dockerfile = `FROM ${NODE_IMAGE}
ARG IMAGE
ENV IMAGE=$IMAGE
COPY program.js /
COPY --chmod=755 start.sh entrypoint.sh /app/
RUN mkdir -p /keys /app/nocobase/storage && chown 1000:1000 /keys /app/nocobase/storage
USER 1000:1000
CMD ["/app/start.sh"]
`;
  fs.writeFileSync(path.join(folder, 'Dockerfile'), dockerfile);
  for (const image of IMAGES)
    await docker(['build', '--quiet', '--build-arg', `IMAGE=${image}`, '--tag', image, folder]);
  fs.rmSync(folder, { recursive: true });
});
afterAll(() => docker(['image', 'rm', '--force', ...IMAGES]));

describe('in a Docker Engine, a driver', () => {
  driverContract({
    driverFor,
    images: IMAGES,
    visit: async (port) => (await ask(`http://127.0.0.1:${port}`, '/')).text,
    async makeForeign(name) {
      await docker(['run', '--detach', '--name', name, '--env', 'FILE=x', IMAGES[0]]);
      return {
        isRunning: async () => (await docker(['inspect', '--format', '{{.State.Running}}', name])) === 'true',
        remove: async () => void (await docker(['rm', '--force', '--volumes', name])),
      };
    },
    configurationOf: (name) => docker(['inspect', name]),
    namesOf: async (name) =>
      (await docker(['ps', '--all', '--format', '{{.Names}}', '--filter', `name=^${name}`]))
        .split('\n')
        .filter(Boolean),
    async leaveAside(name) {
      await docker(['rename', name, `${name}.former`]);
      await docker(['stop', `${name}.former`]);
    },
    hasVolume: async (container) =>
      (await docker(['volume', 'ls', '--quiet', '--filter', `name=^${container}-storage$`])) !== '',
  });

  it('gives a Worker what docker-compose.yml gives', async () => {
    const driver = driverFor('fleet-1');
    await driver.create({
      environment: 'env_like',
      name: 'worker-env-like',
      image: IMAGES[0],
      network: null,
      variables: [],
      port: null,
      host: '',
      memory: null,
      cpus: null,
      request: '{}',
    });
    const [{ Config, HostConfig }] = JSON.parse(await docker(['inspect', 'worker-env-like']));
    await driver.remove('env_like', { volume: true });
    const { healthcheck, security_opt, init, stop_grace_period, read_only, cap_drop, tmpfs, pids_limit, logging } =
      services.worker_a as Record<string, any>;
    expect([Config.Healthcheck.Test, HostConfig.SecurityOpt]).toEqual([healthcheck.test, security_opt]);
    expect([HostConfig.Init, `${Config.StopTimeout}s`]).toEqual([init, stop_grace_period]);
    expect([HostConfig.ReadonlyRootfs, HostConfig.CapDrop ?? []]).toEqual([read_only ?? false, cap_drop ?? []]);
    expect([HostConfig.PidsLimit, HostConfig.LogConfig]).toEqual([
      pids_limit,
      { Type: logging.driver, Config: logging.options },
    ]);
    const folders = Object.entries(HostConfig.Tmpfs ?? {}).map(([folder, options]) =>
      [folder, options].filter(Boolean).join(':'),
    );
    expect(folders.sort()).toEqual([...(tmpfs ?? [])].sort());
  });
});
