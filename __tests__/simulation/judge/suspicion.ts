import type { SupervisorProcess } from '../processes';
import type { World } from '../world';

/** What people see of an environment that refuses connections, whatever its lease says. */

/** How long after a refused connection an environment may be shown as online, in ms: the bar, and the tick of this check. */
const SHOWN_WITHIN = 3_000;

interface Refusal {
  at: number;
  /** Through which Supervisor the visitor came. */
  by: SupervisorProcess;
  url: string;
  /** The Supervisors that were there to be told. */
  told: SupervisorProcess[];
}

const refusals = new WeakMap<World, Map<string, Refusal>>();

/** A visitor was refused by an environment that was shown as online. */
export function refused(world: World, by: SupervisorProcess, environment: string): void {
  const all = refusals.get(world) ?? new Map<string, Refusal>();
  refusals.set(world, all);
  const url = by.part.parts.observer.environment(environment)?.registration?.proxyUrl;
  const { isAway, frozenUntil } = world.redis;
  const at = world.scheduler.now;
  const canTell = world.plan.lost === 0 && !isAway && frozenUntil < at && !by.link.isCut;
  const others = world.supervisors.flatMap(({ process }) => process ?? []);
  const told = canTell ? others.filter(({ link, part }) => !link.isCut && part.loaded) : [];
  if (url && !all.has(environment)) all.set(environment, { at, by, url, told });
}

/** The list, open pages and routing of every Supervisor say so while nobody listens there. */
export function checkSuspicion(world: World, isJudged: (process: SupervisorProcess) => boolean): void {
  for (const [environment, { at, by, url, told }] of refusals.get(world) ?? []) {
    const slots = world.environments.find(({ name }) => name === environment)?.slots ?? [];
    // Somebody listens there, or did since, for a moment.
    if (world.workers.some((worker) => worker.url === url) || slots.some(({ endedAt }) => endedAt > at)) {
      refusals.get(world)?.delete(environment);
      continue;
    }
    if (world.scheduler.now - at <= SHOWN_WITHIN) continue;
    for (const { process } of world.supervisors) {
      if (!process || !isJudged(process)) continue;
      const hears = process === by || (told.includes(process) && !process.link.isCut);
      const view = process.part.parts.observer.environment(environment);
      if (!hears || view?.registration?.proxyUrl !== url) continue;
      const shown = process.part.environmentRows().find(({ name }) => name === environment)?.health;
      const routed = process.door.table.environment(environment)?.health;
      for (const health of [shown, routed])
        if (health === 'online')
          world.violate(`${process.name} shows ${environment} as online, which has refused a connection`);
    }
  }
}
