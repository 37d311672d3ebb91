import { setTimeout as sleep } from 'node:timers/promises';
import type { Manager } from '../../__tests__/support/manager';
import { type Instance, waitFor } from '../../scripts/fleet';
import { readRecordings, recordingsOf } from '../../scripts/fleet/process-recorder';
import type { Probe } from './probe';
import { type Bar, median, type Report } from './report';
import type { MeasuredFleet } from './supervisor';

/** The behaviour of a Worker for its apps and its Supervisor: the event loop that they share, and the heap. */

const CYCLES = 20;
/** Apps that boot together when their Worker starts. */
const STORM = 6;
/** Time until the memory of an installation is released, in ms. */
const SETTLED = 10_000;
/** An environment is down after three missed heartbeats of 5 s. */
const LEASE = 15_000;

export async function benchWorker(
  { fleet, manager, probe }: MeasuredFleet,
  app: string,
  report: Report,
): Promise<void> {
  const worker = fleet.worker('env_a');
  const names = Array.from({ length: STORM - 1 }, (_, index) => `storm${index}`);
  const cycles = await stopAndStart(manager, probe, app);
  const before = await probe.ask('/heap');
  for (const name of names) await manager.create({ name, environments: ['env_a'], startMode: 'withMain' });
  await sleep(SETTLED);
  const each = ((await probe.ask('/heap')).heap - before.heap) / names.length / 1e6;
  const besides = await stopWhileAnotherBoots(manager, app, names[0]);
  const storm = await bootTogether(manager, probe, worker, [app, ...names]);
  const goodbye = await leave(manager, worker);
  report.tables.push({
    title: 'a Worker',
    columns: ['', 'median', 'most', ''],
    rows: [
      row('start of a stopped app, ms', cycles.starts),
      row(
        'a stop is asked for, then the app begins to stop, ms',
        cycles.stops.map(({ whole }) => whole),
      ),
      row(
        'the same, then it is answered, ms',
        cycles.stops.map(({ answered }) => answered),
      ),
      row(
        'a stop is answered, then the app begins to stop (0: before), ms',
        cycles.stops.map(({ begun }) => begun),
      ),
      row('the same while another app boots on that event loop, ms', besides),
      row(`longest block of the event loop while ${STORM} apps boot, ms`, [storm.blocked]),
      [`beats missed enough to look worse than online, of ${storm.looks} looks`, storm.worse, storm.worse, null],
      row('heap of an idle app, MB', [each]),
      [`heap that stays of each of ${CYCLES} stops and starts, MB`, cycles.left, cycles.left, null],
      row('SIGTERM until shown, ms', [goodbye]),
    ],
  });
  report.bars.push(...barsOf({ ...cycles, ...storm, each, goodbye }));
}

function barsOf(found: Cycles & Storm & { each: number; goodbye: number }): Bar[] {
  const { starts, stops, each, left, blocked, worse, goodbye } = found;
  const begun = stops.map((one) => one.begun);
  return [
    { what: 'start of a stopped app', measured: median(starts), unit: ' ms', atMost: 2_000 },
    { what: 'accepted until begun, median', measured: median(begun), unit: ' ms', atMost: 5 },
    { what: 'accepted until begun, the longest', measured: Math.max(...begun), unit: ' ms', atMost: 50 },
    { what: `longest block while ${STORM} apps boot, within a lease`, measured: blocked, unit: ' ms', atMost: LEASE },
    { what: 'times that the booting environment looked worse than online', measured: worse, unit: '', atMost: 0 },
    { what: 'an idle app', measured: each, unit: ' MB heap', atMost: 15 },
    { what: 'what stays of each stop and start', measured: left, unit: ' MB heap', atMost: 1 },
    { what: 'a graceful stop until it is shown', measured: goodbye, unit: ' ms', atMost: 1_000 },
  ];
}

const row = (what: string, values: number[]): [string, ...Array<number | null>] => [
  what,
  median(values),
  Math.max(...values),
  null,
];

interface Cycles {
  starts: number[];
  stops: Stop[];
  /** MB that each cycle retains. */
  left: number;
}

async function stopAndStart(manager: Manager, probe: Probe, app: string): Promise<Cycles> {
  const starts: number[] = [];
  const stops: Stop[] = [];
  const heaps: number[] = [];
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    stops.push(await stop(manager, app));
    heaps.push((await probe.ask('/heap')).heap / 1e6);
    const { createdAt, finishedAt } = await manager.command('start', app);
    starts.push((finishedAt ?? 0) - createdAt);
  }
  // The first few compile code and fill caches that stay.
  const [early, late] = [heaps.slice(3, 6), heaps.slice(-3)].map(median);
  return { starts, stops, left: (late - early) / (CYCLES - 6) };
}

/** Times in ms, by the single clock of this machine; the Worker begins when it stops the app. */
interface Stop {
  /** From the request until the answer. */
  answered: number;
  /** From the request until the Worker begins. */
  whole: number;
  /** From the answer until the Worker begins; 0 if that was earlier. */
  begun: number;
}

async function stop(manager: Manager, app: string): Promise<Stop> {
  const asked = Date.now();
  const { data } = await manager.api.post(`apps:stop?filterByTk=${app}`);
  const answered = Date.now();
  await manager.succeeded(data[0]);
  const boots = readRecordings(recordingsOf('bench')).flatMap((seen) => seen.boots.filter((boot) => boot.app === app));
  const begun = Math.max(...boots.map(({ leavingAt }) => leavingAt ?? 0));
  return { answered: answered - asked, whole: begun - asked, begun: Math.max(0, begun - answered) };
}

async function stopWhileAnotherBoots(manager: Manager, app: string, other: string): Promise<number[]> {
  const took: number[] = [];
  for (let round = 0; round < 5; round++) {
    const { data } = await manager.api.post(`apps:restart?filterByTk=${other}`);
    await sleep(100 * round); // at different points of the boot
    took.push((await stop(manager, app)).begun);
    await manager.succeeded(data[0]);
    await manager.command('start', app);
  }
  return took;
}

interface Storm {
  blocked: number;
  looks: number;
  worse: number;
}

async function bootTogether(manager: Manager, probe: Probe, worker: Instance, apps: string[]): Promise<Storm> {
  await worker.restart();
  let [blocked, looks, worse, wasOnline] = [0, 0, 0, false];
  const isOver = async () => {
    blocked = Math.max(blocked, (await probe.ask('/')).blocked);
    const { health } = await manager.environment('env_a');
    wasOnline ||= health === 'online';
    if (wasOnline) {
      looks++;
      if (health !== 'online') worse++;
    }
    const statuses = (await manager.apps())
      .filter(({ name }) => apps.includes(name))
      .map((row) => row.statuses.env_a?.status);
    return wasOnline && statuses.every((status) => status === 'running');
  };
  await waitFor(isOver, { timeout: 120_000, interval: 250, what: 'The boot of all apps' });
  return { blocked, looks, worse };
}

/** @returns ms from SIGTERM until the Supervisor shows that it is stopping or down */
async function leave(manager: Manager, worker: Instance): Promise<number> {
  const begun = performance.now();
  const gone = worker.stop();
  await manager.untilEnvironment('env_a', ({ health }) => health !== 'online', { what: 'not online any more' });
  const took = performance.now() - begun;
  await gone;
  return took;
}
