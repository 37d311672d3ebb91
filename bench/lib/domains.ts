import { ask } from '../../__tests__/support/http';
import type { Manager } from '../../__tests__/support/manager';
import { type Fleet, type Instance, waitFor } from '../../scripts/fleet';
import { type Bar, median, type Report, type Table } from './report';

/**
 * How soon a changed or removed domain of an app takes effect: from the answer of the change to the first correct
 * answer of a visit.
 */

/** A first one, another one, none. */
const ROUNDS = 8;
/** The 30 s comparison replaces a lost notification. */
const AT_LAST = 40_000;
const WITHIN = 2_000;

interface Change {
  from: string | null;
  to: string | null;
}

export async function benchDomains(fleet: Fleet, manager: Manager, app: string, report: Report): Promise<void> {
  const places = new Map<Instance, number[]>([fleet.supervisor, fleet.worker('env_a')].map((place) => [place, []]));
  for (const change of changes()) {
    const { data } = await manager.api.post(`apps:update?filterByTk=${app}`, { cname: change.to });
    const answered = performance.now();
    const seen = async ([place, took]: [Instance, number[]]) => {
      await inForce(place, app, change);
      took.push(performance.now() - answered);
    };
    await Promise.all([...places].map(seen));
    if (data.operation) await manager.succeeded(data.operation);
  }
  const measured = [...places].map(([{ name }, took]) => ({ name, took }));
  report.tables.push(tableOf(measured));
  report.bars.push(...measured.map(barOf));
}

function* changes(): Generator<Change> {
  let from: string | null = null;
  for (let round = 0; round < ROUNDS; round++) {
    for (const to of [`first${round}.bench.test`, `second${round}.bench.test`, null]) {
      yield { from, to };
      from = to;
    }
  }
}

/** Until the new domain leads to the app, and the old one to the main app again. */
async function inForce(place: Instance, app: string, { from, to }: Change): Promise<void> {
  const leadsTo = async (Host: string) =>
    (await ask(place.url, '/api/app:getInfo', { headers: { Host } })).json?.data?.name;
  const isRight = async () =>
    (to === null || (await leadsTo(to)) === app) && (from === null || (await leadsTo(from)) === 'main');
  await waitFor(isRight, {
    timeout: AT_LAST,
    interval: 5,
    what: `${to ?? 'No domain'} being in force in ${place.name}`,
  });
}

const tableOf = (measured: Array<{ name: string; took: number[] }>): Table => ({
  title: `a domain is changed or removed, then it is in force (${measured[0].took.length} changes)`,
  columns: ['', 'p50, ms', 'most, ms'],
  rows: measured.map(({ name, took }) => [name, median(took), Math.max(...took)]),
});

const barOf = ({ name, took }: { name: string; took: number[] }): Bar => ({
  what: `a changed domain in force in the ${name}, the longest`,
  measured: Math.max(...took),
  unit: ' ms',
  atMost: WITHIN,
});
