import type { Contender } from './contenders';
import type { Profile } from './probe';
import { usage } from './process';
import type { Report } from './report';
import { type Load, load } from './wrk';

/** Seconds, after which hot code is compiled. */
const WARM_UP = 10;

/** Functions of V8 and Node.js by name; both are not in JavaScript. */
const WRITES = /^(writev|write(Latin1|Utf8|Ascii|Ucs2)String|writeBuffer)$/;

/** Who used the time: the first match. */
const USERS: Array<[string, (name: string, url: string) => boolean]> = [
  ['writing to sockets', (name, url) => !url && WRITES.test(name)],
  ['collecting garbage', (name) => name === '(garbage collector)'],
  ['our code, with http-proxy', (_, url) => /plugin-app-supervisor|bench-module/.test(url)],
  ['NocoBase', (_, url) => url.includes('/@nocobase/')],
  ['other packages', (_, url) => Boolean(url) && !url.startsWith('node:')],
  ['V8 and the system, outside of functions', (name) => name === '(program)'],
  ['HTTP, streams, events and timers of Node.js', () => true],
];

/** The CPU time of a proxied request by its users, for several contenders, side by side. */
export async function benchProfile(contenders: Contender[], asked: Omit<Load, 'url'>, path: string, report: Report) {
  const columns: Array<Map<string, number>> = [];
  for (const { url, pid, probe } of contenders) {
    if (!pid || !probe) throw new Error('Only what has a probe in it can be profiled.');
    const target = { ...asked, url: url + path };
    await load({ ...target, seconds: WARM_UP });
    const before = usage(pid).cpu;
    const { requests } = await load(target);
    const each = ((usage(pid).cpu - before) * 1e3) / requests;
    const [profile] = await Promise.all([
      probe.profile(asked.seconds),
      load({ ...target, seconds: asked.seconds + 1 }),
    ]);
    columns.push(timesOf(profile, each));
  }
  report.tables.push({
    title: 'processor time of a proxied request of small JSON, by who uses it',
    columns: ['', ...contenders.map(({ name }) => `${name}, µs`)],
    rows: ['all of it', ...USERS.map(([user]) => user)].map((user) => [
      user,
      ...columns.map((times) => times.get(user) ?? 0),
    ]),
  });
}

/** @param each CPU time of one request, in µs, without a profiler */
function timesOf({ nodes, samples, timeDeltas }: Profile, each: number): Map<string, number> {
  const users = new Map(nodes.map(({ id, callFrame: { functionName, url } }) => [id, userOf(functionName, url)]));
  const times = new Map<string, number>();
  let all = 0;
  samples.forEach((id, index) => {
    const user = users.get(id);
    if (!user) return;
    const time = timeDeltas[index + 1] ?? 0;
    all += time;
    times.set(user, (times.get(user) ?? 0) + time);
  });
  return new Map([['all of it', each], ...[...times].map(([user, time]) => [user, (time / all) * each] as const)]);
}

/** @returns undefined while it waits */
function userOf(name: string, url: string): string | undefined {
  if (name === '(idle)' || name === '(root)') return undefined;
  return USERS.find(([, fits]) => fits(name, url))?.[0];
}
