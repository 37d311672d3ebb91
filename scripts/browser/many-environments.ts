import { say } from '../../src/shared/message';
import type { DoorSummary, EnvironmentSummary, FleetLoad, FleetSummary } from '../../src/shared/summary';
import type { EventRow, Status } from '../../src/shared/types';

/** The Overview of fifty environments, of which some are not well: what the server would answer. */

const COUNT = 50;
const HOUR = 3_600_000;
const nameAt = (index: number) => `env_${String(index + 1).padStart(3, '0')}`;
const NAMES = Array.from({ length: COUNT }, (_, index) => nameAt(index));

/** What is not well, by place. */
const UNWELL: Record<number, Partial<EnvironmentSummary>> = {
  7: { health: 'down', memory: null, eventLoopDelay: null, apps: { unknown: 21 } },
  12: { apps: { error: 3, waiting: 1, dormant: 6, running: 10 } },
  30: { health: 'suspect', apps: { running: 20 } },
  41: { cordoned: true, apps: { stopped: 2 } },
};

export function manyEnvironments(summary: FleetSummary): FleetSummary {
  const environments = NAMES.map((name, index): EnvironmentSummary => {
    const apps: Partial<Record<Status, number>> = { dormant: (index * 7) % 9, running: 12 + (index % 6) };
    return {
      name,
      health: 'online',
      since: Date.now() - (index + 1) * HOUR,
      cordoned: false,
      memory: 4e8,
      eventLoopDelay: 20,
      apps,
      ...UNWELL[index],
    };
  });
  const total = environments.reduce((sum, { apps }) => sum + Object.values(apps).reduce((all, one) => all + one, 0), 0);
  return {
    ...summary,
    total,
    counts: { error: 3, unknown: 21, waiting: 1, stopped: 2, running: total - 27 },
    problems: [
      {
        level: 'red',
        message: say('PROBLEM_APPS_CUT_OFF', { environment: nameAt(7), count: 21 }),
        since: Date.now() - 8 * HOUR,
        remedies: [
          { kind: 'move', environment: nameAt(7), to: nameAt(8) },
          { kind: 'why', environment: nameAt(7) },
        ],
      },
    ],
    environments,
    doors: [
      door('door-a', {}),
      door('door-b', { haproxy: null, requests: null, errors: null, sockets: 0, tableAge: null }),
      door('door-c', { isSilent: true, seenAt: Date.now() - HOUR, tableAge: HOUR }),
    ],
  };
}

const door = (id: string, values: Partial<DoorSummary>): DoorSummary => ({
  ...{ id, version: '0.3.0', haproxy: '3.2.9', isSilent: false, seenAt: Date.now() },
  ...{ requests: 41.3, errors: 0, sockets: 27, tableAge: 400 },
  ...values,
});

/** The load of those that live goes up and down, in waves of their own; that of the one that is down has ended. */
export function loadOfMany(load: FleetLoad): FleetLoad {
  const points = 120;
  const series = (index: number, least: number, most: number) =>
    Array.from({ length: points }, (_, at) => {
      if (index === 7 && at > 52) return null;
      return least + ((most - least) * (1 + Math.sin((at * (index + 3)) / 40) * Math.cos(at / 9 + index))) / 2;
    });
  const environments = NAMES.map((name, index) => ({
    name,
    memory: series(index, 3e8, 5e8 + index * 1e7),
    cpu: series(index, 0.02, 0.4 + index / 40),
    delay: series(index, 12, index === 12 ? 700 : 60),
    requests: series(index, 0, 30 + index),
    errors: index === 12 ? series(index, 0, 9) : Array<number>(points).fill(0),
  }));
  return { ...load, environments };
}

/** Events of the last day, newest first. */
export function eventsOfMany(): EventRow[] {
  const event = (index: number, kind: EventRow['kind'], hours: number, lasted: number | null): EventRow => {
    const at = Date.now() - hours * HOUR;
    return {
      id: `${index}-${hours}`,
      kind,
      appName: null,
      appTitle: null,
      environment: nameAt(index),
      message: say('ENVIRONMENT_DOWN', { environment: nameAt(index) }),
      cause: null,
      createdBy: null,
      operationId: null,
      operation: null,
      changes: null,
      at,
      endedAt: lasted === null ? null : at + lasted,
    };
  };
  return [
    event(12, 'failure', 0.4, null),
    event(12, 'failure', 2.2, 60_000),
    event(30, 'health', 5.1, 90_000),
    event(7, 'health', 8, null),
    event(7, 'crash', 8.2, 0),
    event(7, 'crash', 9.6, 0),
    event(22, 'health', 20, 2.4 * HOUR),
  ];
}
