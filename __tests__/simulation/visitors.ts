import { supervisorRoutes } from '../../src/server/core/routes';
import { LIMITS, RoutingTable } from '../../src/server/proxy';
import { Quarantine } from '../../src/server/proxy/quarantine';
import type { SupervisorPart } from '../../src/server/supervisor/supervisor';
import { choose } from '../../src/shared/choose';
import { refused } from './judge/suspicion';
import type { SupervisorProcess } from './processes';
import { randomFor } from './scheduler';
import type { World } from './world';

/** Visitors of apps, by way of a Supervisor's routing table and choice; the bytes of requests are not simulated. */

const VISIT_EVERY = 2_000;

/** The door of one Supervisor. */
export class Door {
  readonly table = new RoutingTable();
  readonly quarantine = new Quarantine(LIMITS.quarantine);

  constructor(part: SupervisorPart) {
    const update = supervisorRoutes(part);
    part.changes.listen((names) => update(this.table, names));
  }
}

/** Somebody visits some app through some Supervisor, again and again. */
export function letVisitorsIn(world: World): void {
  const random = randomFor(world.plan.seed, 'visitors');
  const next = () => {
    const app = `app${1 + Math.floor(random.fraction() * world.plan.apps)}`;
    const open = world.supervisors.flatMap(({ process }) => (process?.machine.isUp ? process : []));
    const supervisor = open[Math.floor(random.fraction() * open.length)];
    if (supervisor) visit(world, supervisor, app);
    world.scheduler.after(VISIT_EVERY, next);
  };
  world.scheduler.at(10_000, next);
}

/** The environment to which a Supervisor sends a visitor of an app now, besides one. */
export function routeOf({ door, machine }: SupervisorProcess, name: string, except: string | null = null) {
  const { table, quarantine } = door;
  const app = table.app(name);
  return app && choose(app, (one) => table.environment(one), null, quarantine, machine.now().mono, except);
}

/** As proxy/web.ts does it: a refused connection is remembered, and another environment is tried once. */
export function visit(world: World, process: SupervisorProcess, name: string, except: string | null = null): void {
  const { door, machine, part } = process;
  const environment = routeOf(process, name, except);
  if (!environment) return;
  const worker = world.workers.find(({ url }) => url === environment.proxyUrl);
  if (!worker) {
    door.quarantine.add(environment, machine.now().mono);
    if (environment.health === 'online') refused(world, process, environment.name);
    part.noteUnreachable(environment.name);
    if (!except) visit(world, process, name, environment.name);
    return;
  }
  worker.machine.enter(() => worker.visit(name));
}
