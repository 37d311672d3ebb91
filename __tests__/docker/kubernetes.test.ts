import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker } from '../../scripts/docker/engine';
import { waitFor } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import { copyManifests, environmentIn, type Resource, rendered } from '../support/kubernetes';

/**
 * The scripts and probes of deploy/kubernetes in the images that they name, as the users that they name, with their folders and what
 * may be written. A container is run as a node would run it; the tests follow one another.
 */

const MINUTE = 60_000;
const NETWORK = 'app-supervisor-test-pods';
const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-pods-'));
const started: string[] = [];
let all: Resource[];

const podOf = (name: string) =>
  all.find(({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === name)!.spec.template.spec;

/** By `nocobase-app-supervisor` the manifests mean what the Dockerfile builds. */
const IMAGE = 'nocobase-app-supervisor';
const KEYS = 'app-supervisor-test-pods-keys';

function argumentsOf(pod: any, container: any): string[] {
  const { runAsUser, runAsGroup, fsGroup = 0 } = { ...pod.securityContext, ...container.securityContext };
  const { readOnlyRootFilesystem } = container.securityContext;
  const [program, ...rest] = container.command ?? [];
  return [
    ...['--network', NETWORK, '--user', `${runAsUser}:${runAsGroup}`],
    ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true'],
    ...(readOnlyRootFilesystem ? ['--read-only'] : []),
    // A volume belongs to the group of the pod. The containers of a pod share `keys`.
    ...(container.volumeMounts ?? []).flatMap(({ name, mountPath }: { name: string; mountPath: string }) =>
      name === 'keys' ? ['--volume', `${KEYS}:${mountPath}`] : ['--tmpfs', `${mountPath}:gid=${fsGroup},mode=2770`],
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

async function start(name: string): Promise<void> {
  const pod = podOf(name);
  started.push(`test-pod-${name}`);
  const named = ['--name', `test-pod-${name}`, '--network-alias', name];
  await docker(['run', '--detach', ...named, ...argumentsOf(pod, pod.containers[0])]);
}

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
  await docker(['volume', 'rm', KEYS]).catch(() => undefined);
  await docker(['network', 'create', NETWORK]);
  await docker(['image', 'inspect', IMAGE]).catch(() => docker(['build', '--quiet', '--tag', IMAGE, ROOT]));
}, 20 * MINUTE);
afterAll(async () => {
  for (const name of started) await docker(['rm', '--force', '--volumes', name]);
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

  it.each(['supervisor', 'worker-env-a', 'worker-env-b'])(
    'of %s makes its role, its main database, its keys and its user of Redis',
    { timeout: 5 * MINUTE },
    async (name) => {
      const pod = podOf(name);
      const { fsGroup } = pod.securityContext;
      const owned = `chgrp ${fsGroup} /keys && chmod 2770 /keys`;
      await docker(['run', '--rm', '--volume', `${KEYS}:/keys`, '--entrypoint', 'sh', 'redis:7', '-c', owned]);
      // The second time there is nothing to do.
      for (let times = 0; times < 2; times++) {
        for (const container of pod.initContainers) await docker(['run', '--rm', ...argumentsOf(pod, container)]);
      }
      await docker(['volume', 'rm', KEYS]);
    },
  );

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
