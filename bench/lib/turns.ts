import type { Contender } from './contenders';
import { usage } from './process';
import { median, type Table } from './report';
import type { Loaded } from './wrk';

/** One turn. */
export interface Turn extends Loaded {
  /** CPU time of the contender for each request or message, in µs. */
  cpu: number;
}

/** The turns of each contender for one kind of load, by name and in order. */
export type Turns = Map<string, Turn[]>;

/**
 * All contenders take turns, and each round begins with the next one, so that none always follows the same one; the
 * first turn of each only warms it up.
 */
export async function takeTurns(
  contenders: Contender[],
  rounds: number,
  turn: (contender: Contender) => Promise<Loaded>,
): Promise<Turns> {
  const turns: Turns = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    const first = round % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const before = cpuOf(contender);
      const loaded = await turn(contender);
      const cpu = ((cpuOf(contender) - before) * 1e3) / loaded.requests;
      if (round > 0) turns.get(contender.name)?.push({ ...loaded, cpu });
    }
  }
  return turns;
}

const cpuOf = ({ pid }: Contender): number => (pid === null ? 0 : usage(pid).cpu);

/** Compares within each round, because the machine differs between rounds. */
export function ratio(
  turns: Turns,
  one: string,
  other: string,
  of: (turn: Turn) => number = ({ rate }) => rate,
): number {
  const others = turns.get(other) ?? [];
  return median((turns.get(one) ?? []).map((turn, round) => of(turn) / of(others[round])));
}

export function added(turns: Turns, one: string, of: (turn: Turn) => number): number {
  const direct = turns.get('direct') ?? [];
  return median((turns.get(one) ?? []).map((turn, round) => of(turn) - of(direct[round])));
}

export function tableOf(title: string, turns: Turns, oneByOne: boolean): Table {
  const middle = (name: string, of: (turn: Turn) => number) => median((turns.get(name) ?? []).map(of));
  const latency: string[] = oneByOne ? ['p50 added, ms', 'p99 added, ms'] : [];
  return {
    title,
    columns: ['', 'a second', 'of http-proxy', 'CPU µs each', ...latency],
    rows: [...turns.keys()].map((name) => [
      name,
      middle(name, ({ rate }) => rate),
      turns.has('http-proxy') ? ratio(turns, name, 'http-proxy') : null,
      name === 'direct' ? null : middle(name, ({ cpu }) => cpu),
      ...(oneByOne ? [added(turns, name, ({ p50 }) => p50), added(turns, name, ({ p99 }) => p99)] : []),
    ]),
  };
}
