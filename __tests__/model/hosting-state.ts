import { Layout, type State } from './search';

/** What the model of one app with one place at a time consists of: environment A with two processes, and B with one. */

export const PROCESSES = ['A1', 'A2', 'B1'] as const;
export const ENVIRONMENT_OF = [0, 0, 1];
export const NAMES = ['A', 'B'];

/** What is wanted of the app, and what a record says. */
export const NOTHING = 0;
export const RUN = 1;
export const STOP = 2;
export const GONE = 3;
/** It has left, and its data are dropped. */
export const DROP = 4;

/** What a Worker reports. */
export const RUNS = 1;
export const RESTS = 2;
export const LEFT = 3;
export const DROPPED = 4;
export const REFUSED = 5;
export const FAILED = 6;

export const DOWN = 0;
export const UP = 1;
export const FROZEN = 2;

/** A process acts by what it has cached, and not by a record that it has read. */
export const BY_CACHE = 2;

/** How far a boot is. */
export const LOCKED = 1;
export const CONFIRMED = 2;
export const CLAIMED = 3;
export const ALONE = 4;
export const NOTED = 5;
export const BOOTED = 6;

/** A session of the app's pool. */
export const MARKED = 1;
export const WRITES = 2;
/** Only where the order of mark and check is broken. */
export const CHECKED = 3;

/** How far a process is in leaving. */
export const MAY_LEAVE = 1;
export const ROW_GONE = 2;
export const SESSIONS_GONE = 3;

/** Of whom the app's database is. */
export const OURS = 1;
export const ANOTHERS = 2;

const layout = new Layout();
const twice = <T>(make: () => T): [T, T] => [make(), make()];

/** The Supervisor's database. `previous`: the place before a move, plus 1. */
const supervisorFrom = layout.size;
export const app = layout.fields('generation', 'place', 'previous', 'want', 'provision', 'isEnded');
const recordFields = () => layout.fields('generation', 'want', 'left', 'provision');
export type RecordFields = ReturnType<typeof recordFields>;
export const published = twice(recordFields);
export const backup = layout.copyOf(supervisorFrom);

const redisFrom = layout.size;
export const records = twice(recordFields);
export const announced = twice(() => layout.fields('term', 'registered'));
export const statuses = twice(() => layout.fields('term', 'generation', 'state', 'newest'));
export const redisTo = layout.size;
export const redisCopy = layout.copyOf(redisFrom);
export const REDIS = [redisFrom, redisTo] as const;

const mainFieldsOf = () => ({
  lease: layout.fields('holder', 'term'),
  cache: recordFields(),
  known: layout.fields('hasHosted'),
});
const mainFrom = layout.size;
const mainOfA = mainFieldsOf();
export const mainCopy = layout.copyOf(mainFrom);
export const main = [mainOfA, mainFieldsOf()];

/** The app's database. `lock`: the process that boots, plus 1. `isBroken`: the app does not start in that environment. */
export const data = layout.fields('exists', 'owner', 'lock', 'wasDropped');
const rowsFrom = layout.size;
export const rows = twice(() => layout.fields('exists', 'holder', 'term', 'generation', 'isGone'));
export const rowsCopy = layout.copyOf(rowsFrom);
export const isBroken = twice(() => layout.fields('flag').flag);

const processFields = () =>
  layout.fields(
    'is',
    'noMain',
    'noRedis',
    'instance',
    'term',
    // Of the record that it has; `mayAct`: it was read, or stands since nothing better can be read.
    'generation',
    'want',
    'left',
    'provision',
    'mayAct',
    'stage',
    'bootGeneration',
    'session',
    // The app is claimed again while it runs: because its row is lost, or somebody may not host it any more.
    'isLost',
    'isClaiming',
    'claimedLeft',
    'leaving',
    'dropping',
    'newest',
    'failed',
  );
export type ProcessFields = ReturnType<typeof processFields>;
export const processes = PROCESSES.map(processFields);

/** What grows with time, and how much may still happen. `wrong`: what was done that no rule allows. `copies`: 1 was made, 2 is used up. */
export const time = layout.fields('generations', 'terms', 'instances');
export const left = layout.fields('operations', 'faults', 'takeovers');
export const seen = layout.fields('wrong');
export const copies = layout.fields('supervisor', 'redis', 'main', 'rows');
export const size = layout.size;

export type Fault =
  | 'freeze'
  | 'kill'
  | 'cutMain'
  | 'cutRedis'
  | 'cutSession'
  | 'flush'
  | 'redisCopy'
  | 'supervisorCopy'
  | 'mainCopy'
  | 'rowsCopy';
export type Operation = 'move' | 'stop' | 'delete' | 'recreate';

/** Numbers in a state are small: none grows beyond this. */
export const MOST = 240;

export function copyFields(n: State, from: RecordFields, to: RecordFields | ProcessFields): void {
  n[to.generation] = n[from.generation];
  n[to.want] = n[from.want];
  n[to.left] = n[from.left];
  n[to.provision] = n[from.provision];
}

/** What a process knows and does ends with its tenure, or with the process. */
export function forget(n: State, p: number): void {
  const me = processes[p];
  endBoot(n, p);
  for (const field of [me.term, me.generation, me.want, me.left, me.provision, me.mayAct]) n[field] = 0;
  for (const field of [me.leaving, me.dropping, me.newest, me.failed]) n[field] = 0;
}

/** The app, or its boot, ends in this process. */
export function endBoot(n: State, p: number): void {
  const me = processes[p];
  for (const field of [me.stage, me.bootGeneration, me.session, me.isLost, me.isClaiming, me.claimedLeft]) n[field] = 0;
  if (n[data.lock] === p + 1) n[data.lock] = 0;
}

const WANTS = ['-', 'run', 'stop', 'gone', 'drop'];

export function show(s: State): string {
  const record = (of: RecordFields | ProcessFields) =>
    `${s[of.generation]}${WANTS[s[of.want]]}${s[of.left] ? '!' : ''}`;
  const environments = NAMES.map((name, e) => {
    const [row, status, { lease, cache }] = [rows[e], statuses[e], main[e]];
    const hosts = s[row.exists]
      ? `${s[row.holder]}t${s[row.term]}g${s[row.generation]}${s[row.isGone] ? 'gone' : ''}`
      : '-';
    const reported = `${s[status.state]}@${s[status.generation]}/${s[status.newest]}t${s[status.term]}`;
    return `${name}: published ${record(published[e])}, record ${record(records[e])}, announced t${s[announced[e].term]}, status ${reported}, lease ${s[lease.holder]}t${s[lease.term]}, cache ${record(cache)}, row ${hosts}`;
  });
  const all = PROCESSES.map((name, p) => {
    const me = processes[p];
    return `${name}${'xu*'[s[me.is]]}#${s[me.instance]}t${s[me.term]} ${record(me)}${s[me.mayAct] ? '' : '?'} stage${s[me.stage]} session${s[me.session]} newest${s[me.newest]}`;
  });
  const wanted = `${WANTS[s[app.want]]} in ${NAMES[s[app.place]]}, before ${s[app.previous]}, generation ${s[app.generation]}`;
  return [wanted, ...environments, ...all].join(' | ');
}
