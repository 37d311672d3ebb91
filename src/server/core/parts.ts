import type { ActiveConfig, LocalConfig, WorkerConfig } from '../config';
import type { Metrics } from '../observability/metrics';
import { Secrets } from '../protocol/secrets';
import { basePath } from '../proxy';
import { DockerDriver } from '../supervisor/containers/docker';
import type { RouteTable } from '../supervisor/control/route-publisher';
import { areFormer, upgradeRows } from '../supervisor/definitions/former-rows';
import { createDomainProbe } from '../supervisor/domains/domain-probe';
import type { DoorCounts } from '../supervisor/fleet/door-counts';
import type { SupervisorPartOptions } from '../supervisor/services';
import { SupervisorPart } from '../supervisor/supervisor';
import { adminReset } from '../worker/admin-reset';
import { BootQueue } from '../worker/apps/boot-queue';
import { blame, loopFileOf, readLoopNote } from '../worker/apps/loop-note';
import { AppHost } from '../worker/hosting/host';
import { workerHandlers } from '../worker/request-handlers';
import { WorkerPart } from '../worker/worker';
import type { Foundation } from './foundation';

/** Of sysexits.h: a temporary failure. */
const SPENT = 75;

const commonOptions = (config: ActiveConfig, { wire, instance, clock, random, log, findInstalled }: Foundation) => ({
  stores: wire.stores,
  bus: wire.bus,
  instance,
  clock,
  random,
  log,
  findInstalled,
  aesKey: config.aesKey,
  appKey: config.host.appKey,
  keyring: wire.keyring,
  warnings: config.warnings,
  publicUrl: config.publicUrl,
  appsDomain: config.appsDomain,
});

/**
 * Creates the services that manage apps.
 * @param defaultEnvironments environments of a new app whose request names none; null if the request has to name some
 * @param routes for doors; absent where there can be none
 */
export function createSupervisorPart(
  config: ActiveConfig,
  foundation: Foundation,
  metrics: Metrics,
  defaultEnvironments: string[] | null,
  routes?: RouteTable,
): SupervisorPart {
  const part: SupervisorPart = new SupervisorPart({
    ...commonOptions(config, foundation),
    wsPath: config.host.wsPath,
    probeDomain: createDomainProbe({
      prove: foundation.wire.proveDomain,
      publicPath: publicPathOf(config),
      clock: foundation.clock,
    }),
    ...driverOf(config, foundation),
    routes,
    expectedDoors: config.part === 'supervisor' ? config.doors : 0,
    onDoorCounts: (counts, isLeader) => noteDoorCounts(part, metrics, counts, isLeader),
    addressesOf: (environment) => (config.part === 'supervisor' && config.join.addresses.get(environment)) || [],
    schemaByDefault: config.host.schemaByDefault,
    defaultEnvironments,
    own: () => ({ config, ownAdmin: foundation.adminPassword.problem, hasOpenSignUp: foundation.signUp.isOpen }),
    traffic: () => metrics.traffic.totals(),
    // In one process visitors come without the proxy.
    ...(config.part === 'supervisor' && { appTraffic: () => metrics.appTraffic.take() }),
    onOperationEnd: ({ action, state }) => metrics.operation(action, state),
    rows: { areFormer, upgrade: (main) => upgradeRows(main, config.aesKey, foundation.clock.now().wall) },
  });
  return part;
}

/** What a door counts is of apps and environments that this Supervisor knows, or of nothing. */
function noteDoorCounts(part: SupervisorPart, metrics: Metrics, { apps, environments }: DoorCounts, isLeader: boolean) {
  const named = part.apps().flatMap(({ name, uid }): Array<[string, { requests: number; errors: number }]> => {
    const count = apps.get(uid);
    return count ? [[name, count]] : [];
  });
  const known = [...environments].filter(([name]) => part.knows(name));
  metrics.door(new Map(named), new Map(known), isLeader);
}

const publicPathOf = ({ host }: ActiveConfig) => `${basePath(host.publicPath)}/`;

/** In the Docker Engine that the Supervisor was given, if it was given one. */
function driverOf(config: ActiveConfig, { clock, log }: Foundation): Pick<SupervisorPartOptions, 'driver'> {
  if (config.part !== 'supervisor' || !config.docker) return {};
  const { docker: address, join } = config;
  return { driver: (fleet) => new DockerDriver({ address, network: join.network, fleet, clock, log }) };
}

/**
 * Creates the services that host apps.
 * @param only the only app that this process runs; null runs all apps of the environment
 */
export function createWorkerPart(
  config: LocalConfig | WorkerConfig,
  foundation: Foundation,
  only: string | null,
): WorkerPart {
  const { host: core, coreApps, clock, findInstalled, wire } = foundation;
  const { environment, bootstrap } = config;
  const secrets = new Secrets(wire.keyring, environment.name);
  // Whatever it says is of its environment.
  const log = foundation.log.bound({ environment: environment.name });
  const host = new AppHost(
    core,
    coreApps,
    secrets,
    environment.name,
    config.host,
    clock,
    log,
    findInstalled,
    config.databaseRoles.mayShare,
    foundation.work,
  );
  const part: WorkerPart = new WorkerPart({
    ...commonOptions(config, foundation),
    log,
    coreApps,
    host,
    bootQueue: new BootQueue(bootstrap, clock),
    hasOwnKey: wire.keyring.own !== null,
    storagePath: config.host.storagePath,
    ...(only === null && config.part === 'worker' ? { apiBase: basePath(config.host.apiBasePath) } : {}),
    environment,
    only,
    // What runs the process starts it again.
    ...(config.environment.exitsWhenSpent && { onSpent: () => process.exit(SPENT) }),
    blame: blame(readLoopNote(loopFileOf(config.host.storagePath, environment.name, only)), environment.name),
    handlers: workerHandlers(
      host,
      coreApps,
      config.host,
      adminReset({
        coreApps,
        clock,
        environment: environment.name,
        isRunning: (name) => host.isRunning(name),
        visit: (name, uid) => part.controller?.apps.get(name)?.record.uid === uid && part.visit(name),
      }),
      (name) => part.controller?.apps.get(name)?.record ?? null,
    ),
  });
  return part;
}

/** The secret of the JWT of an app in this process; null if it is not known. */
export function secretOf(name: string, { mainApp, coreApps }: Foundation, worker: WorkerPart): string | Buffer | null {
  if (name === 'main') return mainApp.secret;
  // None of a placeholder, which stands for an app that does not run yet, or has failed.
  const { jwt } = (coreApps.apps[name]?.authManager ?? {}) as { jwt?: { getSecret(): string | Buffer | undefined } };
  return jwt?.getSecret() ?? worker.jwtSecretOf(name);
}
