import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type Postgres, query } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import { parseConfig, type SupervisorConfig } from '../../src/server/config';
import { doorConfig } from '../../src/server/config/door';
import { haproxyArguments } from '../../src/server/door/rules/place';
import { environmentKeyOf, fleetKeyOf } from '../../src/server/protocol/keyring';
import { startPostgres } from '../setup/services';
import { services } from '../support/compose';
import { ContainerRedis } from '../support/container-redis';
import {
  type Container,
  copyManifests,
  environmentIn,
  keysIn,
  type Labels,
  type Resource,
  rendered,
  variablesIn,
  workloads,
} from '../support/kubernetes';
import { postgresPrograms } from '../support/postgres-programs';

/** deploy/kubernetes as docs/kubernetes.md uses it: rendered by kubectl, and read as Kubernetes and this plugin read it. */

const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-kubernetes-'));
const kubernetes = path.join(folder, 'kubernetes');

const RUN = { command: 'start', isMainThread: true };

const readDocs = (file: string) => fs.readFileSync(path.join(ROOT, 'docs', file), 'utf8');
/** Rendered once: the same command gives the same each time, and takes half a second. */
const overlays = new Map<string, Resource[]>();
const kustomize = (overlay: string): Resource[] => {
  const known = overlays.get(overlay) ?? rendered(kubernetes, overlay);
  overlays.set(overlay, known);
  return known;
};

beforeAll(() => {
  copyManifests(kubernetes);
  // As the first lines of the folder say.
  const third = path.join(kubernetes, 'environments/env-c');
  fs.cpSync(path.join(kubernetes, 'environments/env-a'), third, { recursive: true });
  const file = path.join(third, 'kustomization.yaml');
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replaceAll('env-a', 'env-c').replaceAll('env_a', 'env_c'));
  const three = path.join(kubernetes, 'overlays/three-environments');
  fs.mkdirSync(three);
  fs.writeFileSync(
    path.join(three, 'kustomization.yaml'),
    'namespace: nocobase\nresources: [../one-supervisor, ../../environments/env-c]\n',
  );
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

const isPartOf = (selector: Labels, labels: Labels = {}) =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

describe.each([
  { overlay: 'one-supervisor', supervisors: 1, environments: ['env_a', 'env_b'] },
  { overlay: 'two-supervisors', supervisors: 2, environments: ['env_a', 'env_b'] },
  { overlay: 'three-environments', supervisors: 1, environments: ['env_a', 'env_b', 'env_c'] },
])('the overlay $overlay', ({ overlay, supervisors, environments }) => {
  let all: Resource[];
  const ofKind = (kind: string) => all.filter((resource) => resource.kind === kind);
  const named = (kind: string, name: string) => {
    const found = ofKind(kind).find(({ metadata }) => metadata.name === name);
    expect(found, `${kind} ${name}`).toBeDefined();
    return found as Resource;
  };
  const pods = () => workloads(all).map(({ spec }) => spec.template);
  const containersOf = (pod: any): Container[] => [...(pod.spec.initContainers ?? []), ...pod.spec.containers];

  it('renders, and every object is valid', async () => {
    all = kustomize(overlay);
    const names = all.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    for (const resource of all) {
      const { [resource.kind]: Model } = await import(`kubernetes-models/${resource.apiVersion}/${resource.kind}`);
      new Model(resource).validate();
      if (resource.kind !== 'Namespace') expect(resource.metadata.namespace, resource.metadata.name).toBe('nocobase');
    }
  });

  it('has Supervisors and environments whose variables this plugin accepts', () => {
    const found = new Map<string, string>();
    for (const { metadata, spec } of ofKind('StatefulSet')) {
      const container = containersOf(spec.template).find(({ name }) => name === 'nocobase');
      if (!container) continue;
      const variables = environmentIn(all, container, spec.template.spec.volumes);
      const config = parseConfig(variables, RUN);
      expect(config.warnings, metadata.name).toEqual([]);
      if (config.part === 'supervisor') expect(spec.replicas).toBe(supervisors);
      else expect(variables.INIT_ROOT_PASSWORD).toBeUndefined();
      expect(variables.POSTGRES_PASSWORD).toBeUndefined();
      expect(variables.REDIS_PASSWORD).toBeUndefined();
      // Keys and passwords are in files alone.
      expect(JSON.stringify([container.env, container.envFrom])).not.toMatch(/secret/i);
      if (config.part === 'worker') {
        // Of the fleet's keys it has those of its environment, and of Secrets nothing but what its containers mount.
        const { APP_SUPERVISOR_AES_SECRET_KEY: fleetKey, APP_KEY } = keysIn(all, variables.ENVIRONMENT_NAME).variables;
        expect(variables.APP_SUPERVISOR_AES_SECRET_KEY).toBeUndefined();
        expect(variables.APP_KEY).not.toBe(APP_KEY);
        const key = environmentKeyOf(fleetKeyOf(Buffer.from(fleetKey, 'hex')), config.environment.name);
        expect(config.environmentKey).toEqual(key);
        const secrets = spec.template.spec.volumes.flatMap(({ secret }: any) => secret?.secretName ?? []);
        expect(secrets).toEqual([expect.stringMatching(/^worker-/)]);
        const { spec: service } = named('Service', serviceAt(config.environment.proxyUrl));
        expect(isPartOf(service.selector, spec.template.metadata.labels)).toBe(true);
        found.set(config.environment.name, variables.DB_DATABASE);
      }
    }
    expect([...found.keys()]).toEqual(environments);
    expect(new Set(found.values()).size).toBe(environments.length);
  });

  it('has as many doors as the Supervisor misses, with nothing of the fleet but what is theirs', () => {
    const { spec } = named('Deployment', 'door');
    const [supervisor] = ofKind('StatefulSet').filter(({ metadata }) => metadata.name === 'supervisor');
    const [nocobase] = supervisor.spec.template.spec.containers;
    const config = parseConfig(environmentIn(all, nocobase, supervisor.spec.template.spec.volumes), RUN);
    expect((config as SupervisorConfig).doors).toBe(spec.replicas);
    const pod = spec.template.spec;
    const [feeder, haproxy] = pod.containers;
    const { files } = keysIn(all, '.door');
    expect(Object.keys(variablesIn(files['door.env'])).sort()).toEqual([
      'APP_SUPERVISOR_PUBLIC_KEY',
      'APP_SUPERVISOR_REDIS_URL',
    ]);
    const {
      supervisors,
      folder: place,
      http,
    } = doorConfig({
      ...environmentIn(all, feeder),
      ...variablesIn(files['door.env']),
    });
    expect(supervisors.map(serviceAt)).toEqual(['supervisor']);
    expect(http).toBe(':80');
    // They share the folder; the keys are the feeder's.
    const mounts = (container: Container) => container.volumeMounts?.map(({ name, mountPath }) => [name, mountPath]);
    expect(mounts(feeder)).toEqual([
      ['door', place],
      ['keys', '/keys'],
    ]);
    expect(mounts(haproxy)).toEqual([['door', place]]);
    expect(haproxy.args[0]).toContain(`exec haproxy ${haproxyArguments(place).join(' ')}\n`);
    expect(pod.volumes.flatMap(({ secret }: { secret?: unknown }) => secret ?? [])).toEqual([]);
    const own = pod.securityContext;
    expect(own.runAsUser).not.toBe(supervisor.spec.template.spec.securityContext.runAsUser);
    expect(own).toMatchObject({ runAsNonRoot: true, runAsGroup: own.runAsUser, fsGroup: own.runAsUser });
    // Nothing else of the cluster or outside.
    const { egress } = named('NetworkPolicy', 'door').spec;
    const reached = egress.flatMap(({ to }: { to: object[] }) => to.flatMap((each) => Object.keys(each)));
    expect(new Set(reached)).toEqual(new Set(['namespaceSelector', 'podSelector']));
    // A former pod ends after a new one takes connections, and has the time for it.
    expect(spec.strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    const waits = [...haproxy.lifecycle.preStop.exec.command[2].matchAll(/sleep (\d+)/g)].map(([, s]) => Number(s));
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(waits.reduce((one, other) => one + other, 0));
  });

  it('has services, budgets and policies that concern the pods they mean', () => {
    for (const { metadata, spec } of [...ofKind('Service'), ...ofKind('PodDisruptionBudget')]) {
      const selector = spec.selector.matchLabels ?? spec.selector;
      const selected = workloads(all).filter((set) => isPartOf(selector, set.spec.template.metadata.labels));
      const meant =
        metadata.name === 'workers' ? environments.map((name) => `worker-${name.replace('_', '-')}`) : [metadata.name];
      expect(selected.map((set) => set.metadata.name)).toEqual(meant);
      for (const { targetPort } of spec.ports ?? []) {
        const ports = containersOf(selected[0].spec.template).flatMap(({ ports = [] }) =>
          ports.map(({ name }) => name),
        );
        expect(ports).toContain(targetPort);
      }
    }
    for (const { spec } of ofKind('StatefulSet')) named('Service', spec.serviceName);
  });

  it('lets visitors reach the door alone, and only the fleet Workers, Redis and PostgreSQL', () => {
    /** The pods that may connect to a pod; null: everybody. */
    const sourcesOf = (labels: Labels): string[] | null => {
      const policies = ofKind('NetworkPolicy').filter(({ spec }) => isSelected(spec.podSelector, labels));
      expect(policies.length, JSON.stringify(labels)).toBeGreaterThan(0);
      const rules = policies.flatMap(({ spec }) => spec.ingress ?? []);
      if (rules.some(({ from }) => !from)) return null;
      const selectors = rules.flatMap(({ from }) => from.map((each: any) => each.podSelector));
      return pods()
        .filter((pod) => selectors.some((selector) => isSelected(selector, pod.metadata.labels)))
        .map(
          (pod) => pod.metadata.labels['app.kubernetes.io/component'] ?? pod.metadata.labels['app.kubernetes.io/name'],
        );
    };
    for (const pod of pods()) {
      const { 'app.kubernetes.io/component': component, 'app.kubernetes.io/name': name } = pod.metadata.labels;
      const sources = sourcesOf(pod.metadata.labels);
      if (component === 'door') expect(sources).toBeNull();
      else if (component === 'supervisor') expect(sources).toEqual(['door']);
      else expect(new Set(sources), name).toEqual(new Set(['door', 'supervisor', 'worker']));
    }
  });

  it('gives containers no rights, and those of NocoBase a file system that they cannot change', () => {
    for (const pod of pods()) {
      const { securityContext } = pod.spec;
      // What Kubernetes calls "restricted", which the namespace enforces.
      expect(securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      for (const container of containersOf(pod) as any[]) {
        expect(container.securityContext, container.name).toMatchObject({
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
        });
        if (container.name === 'postgres') continue;
        expect(container.securityContext.readOnlyRootFilesystem, container.name).toBe(true);
        if (container.name !== 'nocobase') continue;
        expect(securityContext).toMatchObject({ runAsUser: 1000, fsGroup: 1000 });
        const written = container.volumeMounts.filter(({ readOnly }: any) => !readOnly);
        expect(written.map(({ mountPath }: any) => mountPath)).toEqual([
          '/app/nocobase/storage',
          '/run/nocobase',
          '/tmp',
        ]);
      }
    }
    const [namespace] = ofKind('Namespace');
    expect(namespace.metadata.labels).toEqual({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  });

  it('asks the probes of this plugin, limits resources and mounts what is there', () => {
    for (const { spec } of workloads(all)) {
      const volumes = [...(spec.volumeClaimTemplates ?? []).map((claim: Resource) => claim.metadata.name)];
      for (const { name, persistentVolumeClaim } of spec.template.spec.volumes ?? []) {
        volumes.push(name);
        if (persistentVolumeClaim) named('PersistentVolumeClaim', persistentVolumeClaim.claimName);
      }
      expect(spec.template.spec.automountServiceAccountToken).toBe(false);
      for (const container of containersOf(spec.template) as any[]) {
        expect(container.resources.limits.memory, container.name).toBeTruthy();
        expect(container.resources.requests, container.name).toHaveProperty('cpu');
        for (const { name } of container.volumeMounts ?? []) expect(volumes).toContain(name);
        if (container.name !== 'nocobase') continue;
        const asked = ['startupProbe', 'livenessProbe', 'readinessProbe'].map((probe) => container[probe].httpGet);
        expect(asked.map(({ path: asks }) => asks)).toEqual(['/api/__live', '/api/__live', '/api/__ready']);
        const ports = container.ports.map(({ name }: { name: string }) => name);
        for (const { port } of asked) expect(ports).toContain(port);
      }
    }
  });
});

/** @param url with the whole name, since HAProxy looks for no other */
const serviceAt = (url: string) => /^http:\/\/([\w-]+)\.nocobase\.svc\.cluster\.local$/.exec(url)?.[1] ?? '';

function isSelected(selector: any, labels: Labels = {}): boolean {
  const byExpression = (selector?.matchExpressions ?? []).every(({ key, values }: { key: string; values: string[] }) =>
    values.includes(labels[key]),
  );
  return isPartOf(selector?.matchLabels ?? {}, labels) && byExpression;
}

describe('in operation', () => {
  const set = (name: string, overlay = 'one-supervisor') =>
    kustomize(overlay).find(({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === name) as Resource;
  const workers = ['worker-env-a', 'worker-env-b'];

  it('two Supervisors in the place of one change nothing that Kubernetes lets nobody change', () => {
    const changeable = ['replicas', 'template', 'updateStrategy', 'minReadySeconds'];
    const fixed = ({ spec }: Resource) => Object.entries(spec).filter(([name]) => !changeable.includes(name));
    expect(fixed(set('supervisor', 'two-supervisors'))).toEqual(fixed(set('supervisor')));
  });

  it('pods have the time that containers of docker-compose.yml have, after a Supervisor was taken out of its Service', () => {
    const compose = Number.parseInt(
      (services.supervisor as { stop_grace_period?: string }).stop_grace_period ?? '',
      10,
    );
    for (const name of workers) expect(set(name).spec.template.spec.terminationGracePeriodSeconds).toBe(compose);
    const { terminationGracePeriodSeconds, containers } = set('supervisor').spec.template.spec;
    const [program, seconds] = containers[0].lifecycle.preStop.exec.command;
    expect([program, terminationGracePeriodSeconds - Number(seconds)]).toEqual(['sleep', expect.any(Number)]);
    expect(terminationGracePeriodSeconds - Number(seconds)).toBeGreaterThanOrEqual(compose);
  });

  it.each([
    [0, 'accepts connections', true],
    [1, 'recovers, however long', true],
    [2, 'does not answer', false],
    [3, 'was not asked', false],
  ])('PostgreSQL goes on if pg_isready ends with %d: it %s', (code, _, isLive) => {
    const { command } = set('postgres').spec.template.spec.containers[0].livenessProbe.exec;
    const programs = fs.mkdtempSync(path.join(folder, 'programs-'));
    fs.writeFileSync(path.join(programs, 'pg_isready'), `#!/bin/sh\nexit ${code}\n`, { mode: 0o755 });
    const run = spawnSync(command[0], command.slice(1), { env: { PATH: `${programs}:${process.env.PATH}` } });
    expect(run.status === 0).toBe(isLive);
  });

  it('Workers of all environments are spread over the nodes', () => {
    const labels = workers.map((name) => set(name).spec.template.metadata.labels);
    for (const name of workers) {
      const [{ topologyKey, labelSelector }] = set(name).spec.template.spec.topologySpreadConstraints;
      expect([topologyKey, labels.every((each) => isSelected(labelSelector, each))]).toEqual([
        'kubernetes.io/hostname',
        true,
      ]);
    }
  });

  it('no budget forbids to drain a node', () => {
    const budgets = kustomize('one-supervisor').filter(({ kind }) => kind === 'PodDisruptionBudget');
    expect(budgets.map(({ spec }) => spec.maxUnavailable)).toEqual([1, 1, 1]);
  });

  it('an Ingress leads to the door, with the limits of docs/deploy/nginx.conf', async () => {
    const [ingress] = parseAllDocuments(fs.readFileSync(path.join(kubernetes, 'ingress/ingress.yaml'), 'utf8')).map(
      (document) => document.toJS(),
    );
    const { Ingress } = await import('kubernetes-models/networking.k8s.io/v1/Ingress');
    new Ingress(ingress).validate();
    for (const { http } of ingress.spec.rules) {
      const { name, port } = http.paths[0].backend.service;
      expect(name).toBe('door');
      const service = kustomize('one-supervisor').find(
        ({ kind, metadata }) => kind === 'Service' && metadata.name === name,
      );
      expect(service?.spec.ports.map((each: { name: string }) => each.name)).toContain(port.name);
    }
    const nginx = fs.readFileSync(path.join(ROOT, 'docs/deploy/nginx.conf'), 'utf8');
    for (const [option, value] of Object.entries(ingress.metadata.annotations as Labels)) {
      const setting = option.replace(/.*\/(proxy-body-size)?/, '$1').replace('proxy-body-size', 'client_max_body_size');
      expect(nginx).toMatch(new RegExp(`${setting.replaceAll('-', '_')} ${value}s?;`));
    }
  });

  it('HTTPS of the door is a patch, as docs/kubernetes.md says', () => {
    const overlay = path.join(kubernetes, 'overlays/with-https');
    fs.cpSync(path.join(kubernetes, 'overlays/one-supervisor'), overlay, { recursive: true });
    const [, block] = /\*\*HTTPS\*\*.*\n\n {2}```yaml\n([\s\S]*?) {2}```/.exec(readDocs('kubernetes.md'))!;
    fs.appendFileSync(path.join(overlay, 'kustomization.yaml'), block.replaceAll(/^ {2}/gm, ''));
    const door = workloads(kustomize('with-https')).find(({ metadata }) => metadata.name === 'door')!;
    const [feeder] = door.spec.template.spec.containers;
    const env = Object.fromEntries(feeder.env.map(({ name, value }: Labels) => [name, value]));
    expect(env).toMatchObject({ APP_SUPERVISOR_DOOR_HTTP: ':80', APP_SUPERVISOR_DOOR_HTTPS: ':443' });
    const mount = feeder.volumeMounts.find(({ name }: Labels) => name === 'nocobase-tls');
    expect(path.dirname(mount.mountPath)).toBe(env.APP_SUPERVISOR_DOOR_CERTIFICATES);
    expect(door.spec.template.spec.volumes).toContainEqual({
      name: 'nocobase-tls',
      secret: { secretName: 'nocobase-tls', defaultMode: 0o440 },
    });
  });

  it('without the component of the door visitors reach the Supervisor, and it misses none', () => {
    const overlay = path.join(kubernetes, 'overlays/no-door');
    fs.cpSync(path.join(kubernetes, 'overlays/one-supervisor'), overlay, { recursive: true });
    const file = path.join(overlay, 'kustomization.yaml');
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('  - ../../door\n', ''));
    const all = kustomize('no-door');
    expect(workloads(all).map(({ metadata }) => metadata.name)).not.toContain('door');
    const policy = all.find(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'supervisor');
    expect(policy?.spec.ingress).toEqual([{ ports: [{ port: 'http' }] }]);
    const supervisor = workloads(all).find(({ metadata }) => metadata.name === 'supervisor')!;
    const names = supervisor.spec.template.spec.containers[0].env.map(({ name }: Labels) => name);
    expect(names).not.toContain('APP_SUPERVISOR_DOORS');
  });

  it('every image can be named by its digest, in the overlay alone', () => {
    const overlay = path.join(kubernetes, 'overlays/by-digest');
    fs.cpSync(path.join(kubernetes, 'overlays/one-supervisor'), overlay, { recursive: true });
    const file = path.join(overlay, 'kustomization.yaml');
    const digest = `digest: sha256:${'ab'.repeat(32)}`;
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/newTag: .*/g, digest));
    const images = kustomize('by-digest').flatMap(({ kind, spec }) =>
      kind === 'StatefulSet' || kind === 'Deployment'
        ? [...(spec.template.spec.initContainers ?? []), ...spec.template.spec.containers].map(({ image }) => image)
        : [],
    );
    expect(images.filter((image) => !/@sha256:[0-9a-f]{64}$/.test(image))).toEqual([]);
  });

  it('Workers copy uploads from each other', () => {
    const policy = kustomize('one-supervisor').find(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'workers',
    ) as Resource;
    const { labels } = set('worker-env-a').spec.template.metadata;
    const leadsTo = (rules: any[], direction: 'from' | 'to') =>
      rules.some((rule) =>
        rule[direction].some(({ podSelector }: any) => podSelector && isSelected(podSelector, labels)),
      );
    expect([leadsTo(policy.spec.ingress, 'from'), leadsTo(policy.spec.egress, 'to')]).toEqual([true, true]);
  });
});

describe('the database of a pod', () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres?.stop());

  it('is made by its init container, with a role that is no superuser, again and again', async () => {
    const { host, port, password: POSTGRES_PASSWORD } = postgres.server;
    const all = kustomize('one-supervisor');
    const sets = all.filter(({ kind, spec }) => kind === 'StatefulSet' && spec.template.spec.initContainers);
    expect(sets.map(({ metadata }) => metadata.name)).toEqual(['supervisor', 'worker-env-a', 'worker-env-b']);
    for (let times = 0; times < 2; times++) {
      for (const { spec } of sets) {
        const [database] = spec.template.spec.initContainers;
        const given = { DB_HOST: host, DB_PORT: String(port), POSTGRES_PASSWORD };
        const env = { ...environmentIn(all, database), ...given, PATH: `${postgresPrograms()}:${process.env.PATH}` };
        // As in the image, which has no name for this user. Only root can become it.
        const { runAsUser: uid, runAsGroup: gid } = spec.template.spec.securityContext;
        const user = process.getuid?.() === 0 ? { uid, gid } : {};
        execFileSync('sh', ['-ec', ...database.args], { env, stdio: 'pipe', timeout: 60_000, ...user });
      }
    }
    const { rows: roles } = await query(
      postgres.server,
      'postgres',
      "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname LIKE 'nocobase%' ORDER BY 1",
    );
    const role = (rolname: string, may: boolean) => ({
      rolname,
      rolsuper: false,
      rolcreatedb: may,
      rolcreaterole: may,
    });
    expect(roles).toEqual([role('nocobase_supervisor', false), role('nocobase_worker', true)]);
    const { rows: databases } = await query(
      postgres.server,
      'postgres',
      "SELECT datname, pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname LIKE 'nocobase%' ORDER BY 1",
    );
    expect(databases.map(({ datname, owner }) => `${datname} ${owner}`)).toEqual([
      'nocobase_env_a nocobase_worker',
      'nocobase_env_b nocobase_worker',
      'nocobase_supervisor nocobase_supervisor',
    ]);
    const worker = sets.map(({ spec }) => environmentIn(all, spec.template.spec.initContainers[0]))[1];
    const asWorker = { ...postgres.server, user: worker.DB_USER, password: worker.DB_PASSWORD };
    await expect(query(asWorker, 'nocobase_supervisor', 'SELECT 1')).rejects.toThrow(/permission denied/);
  });
});

describe('the users of Redis', () => {
  let redis: ContainerRedis;
  afterAll(() => redis?.stop());

  it('are made by the pods, again and again, and outlive a restart of Redis', async () => {
    const all = kustomize('one-supervisor');
    const [{ spec }] = all.filter(({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === 'redis');
    const [container] = spec.template.spec.containers;
    const { REDIS_PASSWORD } = environmentIn(all, container);
    redis = new ContainerRedis(folder, container.args[0], { REDIS_PASSWORD });
    await redis.start(REDIS_PASSWORD);
    const pods = workloads(all).filter(({ spec }) => spec.template.spec.initContainers);
    for (let times = 0; times < 2; times++) {
      for (const pod of pods) {
        const { initContainers, containers } = pod.spec.template.spec;
        const { ENVIRONMENT_NAME } = environmentIn(all, { name: '', envFrom: containers[0].envFrom });
        const owner = pod.metadata.name === 'door' ? '.door' : ENVIRONMENT_NAME;
        const file = path.join(folder, 'redis-users');
        fs.writeFileSync(file, keysIn(all, owner).files['redis-users']);
        const user: Container = initContainers.find(({ name }: Container) => name === 'redis-user');
        const cli = `redis-cli -h 127.0.0.1 -p ${redis.port}`;
        const script = user.args![0].replaceAll('redis-cli -h redis', cli).replaceAll('/keys/redis-users', file);
        const env = { ...environmentIn(all, user), PATH: process.env.PATH };
        execFileSync('sh', ['-ec', script], { env, stdio: 'pipe' });
        fs.writeFileSync(file, 'ACL SETUSER nobody +nonsense\n');
        expect(() => execFileSync('sh', ['-ec', script], { env, stdio: 'pipe' })).toThrow(/nonsense|Error in ACL/);
      }
    }
    await redis.start(REDIS_PASSWORD);
    const { APP_SUPERVISOR_REDIS_URL: address } = variablesIn(keysIn(all, 'env_b').files['worker.env']);
    const here = address.replace('@redis:6379/', `@127.0.0.1:${redis.port}/`);
    const asked = ['-u', here, '--no-auth-warning', 'get', 'app-supervisor:lease:env_b'];
    expect(execFileSync('redis-cli', asked, { encoding: 'utf8' })).toBe('\n');
    const own = passwordOf(address);
    await redis.ask('worker-env-b', own, (client) => client.set('app-supervisor:lease:env_b', 'x'));
    const foreign = redis.ask('worker-env-b', own, (client) => client.set('app-supervisor:lease:env_a', 'x'));
    await expect(foreign).rejects.toThrow('NOPERM');
    const door = passwordOf(variablesIn(keysIn(all, '.door').files['door.env']).APP_SUPERVISOR_REDIS_URL);
    expect(await redis.ask('door', door, (client) => client.hgetall('app-supervisor:routes'))).toEqual({});
    await expect(redis.ask('door', door, (client) => client.hset('app-supervisor:routes', 'a', 'x'))).rejects.toThrow(
      'NOPERM',
    );
    const supervisor = passwordOf(keysIn(all).variables.APP_SUPERVISOR_REDIS_URL);
    await redis.ask('supervisor', supervisor, (client) => client.set('app-supervisor:lease:env_a', 'x'));
  });
});

const passwordOf = (url: string) => new URL(url).password;

describe('create-secrets.sh', () => {
  it('changes nothing the second time, and keeps what it writes from other users', () => {
    const overlay = path.join(kubernetes, 'overlays/one-supervisor');
    const files = ['fleet', 'supervisor', 'worker', 'data'].map((name) => path.join(overlay, `${name}-secrets.env`));
    const before = files.map((file) => fs.readFileSync(file, 'utf8'));
    expect(() => execFileSync('sh', ['create-secrets.sh', overlay], { cwd: kubernetes, stdio: 'pipe' })).toThrow(
      /exists already/,
    );
    expect(files.map((file) => fs.readFileSync(file, 'utf8'))).toEqual(before);
    for (const file of files) expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  });
});
