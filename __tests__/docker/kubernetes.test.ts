import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker } from '../../scripts/docker/engine';
import { waitFor } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import { copyManifests, environmentIn, type Resource, rendered, workloads } from '../support/kubernetes';

/**
 * The scripts and probes of deploy/kubernetes in the images that they name, as the users that they name, with their folders and what
 * may be written. A container is run as a node would run it; the tests follow one another.
 */

const MINUTE = 60_000;
const NETWORK = 'app-supervisor-test-pods';
const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-pods-'));
const started: string[] = [];
let all: Resource[];

const podOf = (name: string) => workloads(all).find(({ metadata }) => metadata.name === name)!.spec.template.spec;

/** By `nocobase-app-supervisor` the manifests mean what the Dockerfile builds. */
const IMAGE = 'nocobase-app-supervisor';
/** Volumes that the containers of a pod share. */
const SHARED: Record<string, string> = { keys: 'app-supervisor-test-pods-keys', door: 'app-supervisor-test-pods-door' };

function argumentsOf(pod: any, container: any): string[] {
  const { runAsUser, runAsGroup, fsGroup = 0 } = { ...pod.securityContext, ...container.securityContext };
  const { readOnlyRootFilesystem } = container.securityContext;
  const [program, ...rest] = container.command ?? [];
  return [
    ...['--network', NETWORK, '--user', `${runAsUser}:${runAsGroup}`],
    ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true'],
    ...(readOnlyRootFilesystem ? ['--read-only'] : []),
    // A volume belongs to the group of the pod.
    ...(container.volumeMounts ?? []).flatMap(({ name, mountPath }: { name: string; mountPath: string }) =>
      SHARED[name]
        ? // The image's own folder there says nothing about a pod's.
          ['--volume', `${SHARED[name]}:${mountPath}:nocopy`]
        : ['--tmpfs', `${mountPath}:gid=${fsGroup},mode=2770`],
    ),
    ...Object.entries(environmentIn(all, container, pod.volumes)).flatMap(([name, value]) => [
      '--env',
      `${name}=${value}`,
    ]),
    ...(program ? ['--entrypoint', program] : []),
    container.image.includes(IMAGE) ? IMAGE : container.image,
    ...rest,
    ...(container.args ?? []),
  ];
}

/** @param container undefined: the first one */
async function start(name: string, container?: any): Promise<string> {
  const pod = podOf(name);
  const id = `test-pod-${name}${container ? `-${container.name}` : ''}`;
  started.push(id);
  const named = ['--name', id, '--network-alias', name];
  await docker(['run', '--detach', ...named, ...argumentsOf(pod, container ?? pod.containers[0])]);
  return id;
}

/** What the containers of a pod share, as its user finds it. */
async function makeVolumes(name: string): Promise<void> {
  const { fsGroup } = podOf(name).securityContext;
  const mounted = Object.entries(SHARED).flatMap(([folder, volume]) => ['--volume', `${volume}:/volumes/${folder}`]);
  const owned = `chgrp ${fsGroup} /volumes/* && chmod 2770 /volumes/*`;
  await docker(['run', '--rm', ...mounted, '--entrypoint', 'sh', 'redis:7', '-c', owned]);
}
const removeVolumes = async () => {
  for (const volume of Object.values(SHARED)) await docker(['volume', 'rm', volume]).catch(() => undefined);
};

/** Whether a probe of the container succeeds, as the container's own user. */
const passes = (name: string, probe: 'readinessProbe' | 'livenessProbe') =>
  docker(['exec', `test-pod-${name}`, ...podOf(name).containers[0][probe].exec.command]).then(
    () => true,
    () => false,
  );

beforeAll(async () => {
  copyManifests(path.join(folder, 'kubernetes'));
  all = rendered(path.join(folder, 'kubernetes'), 'one-supervisor');
  await docker(['network', 'rm', NETWORK]).catch(() => undefined);
  await removeVolumes();
  await docker(['network', 'create', NETWORK]);
  await docker(['image', 'inspect', IMAGE]).catch(() => docker(['build', '--quiet', '--tag', IMAGE, ROOT]));
}, 20 * MINUTE);
afterAll(async () => {
  for (const name of started) await docker(['rm', '--force', '--volumes', name]);
  await removeVolumes();
  await docker(['network', 'rm', NETWORK]);
  fs.rmSync(folder, { recursive: true, force: true });
});

describe('a pod', () => {
  it.each(['postgres', 'redis'])(
    'of %s starts on a new volume, and its probes say so',
    { timeout: 5 * MINUTE },
    async (name) => {
      await start(name);
      await waitFor(() => passes(name, 'readinessProbe'), {
        timeout: 2 * MINUTE,
        interval: 500,
        what: `A ready ${name}`,
      }).catch(async (error) => {
        throw new Error(`${error.message}\n${await docker(['logs', `test-pod-${name}`])}`);
      });
      if (podOf(name).containers[0].livenessProbe.exec) expect(await passes(name, 'livenessProbe')).toBe(true);
    },
  );

  it.each(['supervisor', 'worker-env-a', 'worker-env-b', 'door'])(
    'of %s makes what it needs: its role, its main database, its keys and its user of Redis',
    { timeout: 5 * MINUTE },
    async (name) => {
      const pod = podOf(name);
      await makeVolumes(name);
      // The second time there is nothing to do.
      for (let times = 0; times < 2; times++) {
        for (const container of pod.initContainers) await docker(['run', '--rm', ...argumentsOf(pod, container)]);
      }
      // The door's are used below.
      if (name !== 'door') await removeVolumes();
    },
  );

  it('of the door takes connections, and answers what it has begun before it ends', {
    timeout: 5 * MINUTE,
  }, async () => {
    const [feeder, haproxy] = podOf('door').containers;
    // In whatever order they start.
    const ids = [await start('door', haproxy), await start('door', feeder)];
    const takes = () =>
      docker(['exec', ids[0], 'bash', '-c', ': < /dev/tcp/127.0.0.1/80']).then(
        () => true,
        () => false,
      );
    await waitFor(takes, { timeout: MINUTE, interval: 500, what: 'A door that takes connections' }).catch(
      async (error) => {
        throw new Error(`${error.message}\n${(await Promise.all(ids.map((id) => docker(['logs', id])))).join('\n')}`);
      },
    );
    const [, , stop] = haproxy.lifecycle.preStop.exec.command;
    await docker(['exec', ids[0], 'sh', '-c', stop.replace(/sleep \d+/g, 'true')]);
    const ended = async () =>
      (await docker(['inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', ids[0]])) === 'exited 0';
    await waitFor(ended, { timeout: MINUTE, interval: 200, what: 'The end of HAProxy' });
  });

  it('of PostgreSQL that does not answer is not live', async () => {
    await docker(['exec', 'test-pod-postgres', 'pg_ctl', 'stop', '--mode=immediate', '--no-wait']).catch(
      () => undefined,
    );
    await waitFor(async () => !(await passes('postgres', 'livenessProbe')), {
      timeout: MINUTE,
      what: 'The end of PostgreSQL',
    });
  });
});
