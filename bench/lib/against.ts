import path from 'node:path';
import { type Contender, startContenders } from './contenders';
import type { Report } from './report';
import { ratio, tableOf, takeTurns } from './turns';
import { load } from './wrk';

/** What is measured of another commit, by the same parts of its own bench. */
interface Other {
  startModule(origin: string): Promise<Contender>;
  /** A whole fleet, whose Supervisor leads to the origin for this app. */
  startFleet(app: string, origin: string): Promise<{ contender: Contender; stop(): Promise<void> }>;
}

/** @param folder a checkout whose packages are installed. To be called before this process leaves the measured core: both look for the core that it has. */
export async function benchOf(folder: string): Promise<Other> {
  const part = (file: string) => import(path.join(path.resolve(folder), 'bench/lib', file));
  const { startContenders } = await part('contenders.ts');
  const { MeasuredFleet } = await part('supervisor.ts');
  return {
    async startModule(origin) {
      const all: Contender[] = await startContenders(origin);
      const isModule = ({ name }: Contender) => name === 'our module';
      for (const contender of all.filter((one) => !isModule(one))) await contender.stop();
      return { ...all.filter(isModule)[0], name: 'the other module' };
    },
    async startFleet(app, origin) {
      const fleet = await MeasuredFleet.start({ isProfiled: true });
      await fleet.lead(app, origin);
      return { contender: { ...fleet.contender, name: 'the other Supervisor' }, stop: () => fleet.stop() };
    },
  };
}

/** Seconds. */
const WARM_UP = 12;
/** Two processes of the same code were seen to differ by as much. */
const AT_LEAST = 0.95;

/** Whether module and Supervisor need more CPU time than those of another commit. @param supervisor null: the modules alone */
export async function benchAgainst(
  other: Other,
  origin: string,
  supervisor: Contender | null,
  { path, connections, app, seconds }: { path: string; connections: number; app: string; seconds: number },
  rounds: number,
  report: Report,
): Promise<void> {
  const started = [...(await startContenders(origin)), await other.startModule(origin)];
  const fleet = supervisor && (await other.startFleet(app, origin));
  const pairs = [['our module', 'the other module'], ...(fleet ? [['the Supervisor', 'the other Supervisor']] : [])];
  const contenders = [...started, ...(supervisor && fleet ? [supervisor, fleet.contender] : [])].filter(
    ({ name }) => name === 'http-proxy' || pairs.flat().includes(name),
  );
  const turn = (seconds: number) => (contender: Contender) => load({ url: contender.url + path, connections, seconds });
  for (const contender of contenders) await turn(WARM_UP)(contender);
  // V8 lets the heap of a process that has never been idle grow to twice the size before it collects, so that a request costs up to a
  // third less: the fleet that was started first was idle while the other one started.
  for (const contender of contenders) await contender.probe?.ask('/heap');
  const turns = await takeTurns(contenders, rounds, turn(seconds));
  report.tables.push(tableOf('small JSON, against another commit', turns, false));
  for (const [ours, theirs] of pairs) {
    const measured = ratio(turns, theirs, ours, ({ cpu }) => cpu);
    report.bars.push({ what: `CPU time of ${theirs}, of that of ${ours}`, measured, unit: '×', atLeast: AT_LEAST });
  }
  await fleet?.stop();
  for (const contender of started) await contender.stop();
}
