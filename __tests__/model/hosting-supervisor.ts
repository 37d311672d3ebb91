import * as H from './hosting-state';
import { DROP, DROPPED, FAILED, GONE, LEFT, MOST, NOTHING, REFUSED, RESTS, RUN, RUNS, STOP } from './hosting-state';
import type { Omitted } from './rules';
import type { State, Take } from './search';

const { app, published, records, statuses, announced, time } = H;

/** What an environment reports, under the term that it announces. */
function observed(s: State, e: number) {
  const status = statuses[e];
  if (!s[status.term] || s[status.term] !== s[announced[e].term]) return null;
  return { generation: s[status.generation], state: s[status.state], newest: s[status.newest] };
}

const isDown = (s: State, e: number) => s[announced[e].term] === 0;

/** Publishes for one environment, in the next generation. */
function publish(n: State, e: number, want: number, without: Omitted, above = 0): true {
  const last = Math.max(n[app.generation], above, without.clock ? 0 : n[time.generations]);
  const generation = without.oneSequence ? Math.max(n[app.generation], above) : Math.min(last + 1, MOST);
  n[time.generations] = Math.max(n[time.generations], generation);
  n[app.generation] = generation;
  const wish = published[e];
  n[wish.generation] = generation;
  n[wish.want] = want;
  n[wish.left] = Number((want === RUN || want === STOP) && n[published[1 - e].want] === GONE);
  n[wish.provision] = want === RUN ? n[app.provision] : 0;
  return true;
}

function isConfirmed(s: State, e: number): boolean {
  const seen = observed(s, e);
  const isGone = seen !== null && (seen.state === LEFT || seen.state === DROPPED);
  return isGone && seen.generation >= s[published[e].generation];
}

/** As `above` in src/server/supervisor/rollout/plan.ts. */
function above(n: State, without: Omitted): boolean {
  for (const e of [0, 1]) {
    const seen = observed(n, e);
    const want = n[published[e].want];
    if (!seen || want === NOTHING) continue;
    const newest = want === RUN && seen.newest ? seen.newest + 1 : 0;
    const reported = Math.max(seen.generation, newest);
    if (reported <= n[published[e].generation] || without.above) continue;
    return publish(n, e, e === n[app.place] ? want : Math.max(want, GONE), without, reported);
  }
  return false;
}

/** Environments that have the app, where nothing is published or wanted. */
function stray(n: State, without: Omitted): boolean {
  for (const e of [0, 1]) {
    const seen = observed(n, e);
    const isWanted = e === n[app.place] && n[app.want] !== GONE;
    if (!seen || n[published[e].want] !== NOTHING || isWanted) continue;
    if (seen.state !== LEFT && seen.state !== DROPPED) return publish(n, e, GONE, without, seen.generation);
  }
  return false;
}

function firstRun(n: State, without: Omitted): boolean {
  for (const e of [0, 1]) {
    const seen = observed(n, e);
    if (!n[published[e].provision] || seen?.state !== RUNS) continue;
    n[app.provision] = 0;
    return publish(n, e, RUN, without);
  }
  return false;
}

function deleted(n: State, without: Omitted): boolean {
  if (n[app.isEnded]) return false;
  for (const e of [0, 1])
    if (n[published[e].want] === RUN || n[published[e].want] === STOP) return publish(n, e, GONE, without);
  for (const e of [0, 1]) if (n[published[e].want] === GONE && !isConfirmed(n, e)) return false;
  const dropping = [0, 1].find((e) => n[published[e].want] === DROP);
  if (dropping === undefined) {
    const place = n[app.place];
    const wanted = [place, 1 - place].find((e) => n[published[e].want] === GONE && !isDown(n, e));
    if (wanted !== undefined) return publish(n, wanted, DROP, without);
    const isNowhere = [0, 1].every((e) => n[published[e].want] === NOTHING);
    if (isNowhere) n[app.isEnded] = 1;
    return isNowhere;
  }
  const seen = observed(n, dropping);
  if (seen?.state !== DROPPED || seen.generation < n[published[dropping].generation]) return false;
  n[app.isEnded] = 1;
  return true;
}

/** A boot failed at the new place of a move, or the app has arrived there. */
function returnsOrArrives(n: State, without: Omitted): boolean {
  const place = n[app.place];
  if (!n[app.previous] || n[published[place].want] !== n[app.want]) return false;
  const before = n[app.previous] - 1;
  const seen = observed(n, place);
  const isReported = seen !== null && seen.generation >= n[published[place].generation];
  if (before === place || (isReported && seen.state === (n[app.want] === RUN ? RUNS : RESTS))) {
    n[app.previous] = 0;
    return true;
  }
  const hasFailed = isReported && (seen.state === FAILED || seen.state === REFUSED);
  if (!hasFailed || isDown(n, before) || without.returns) return false;
  n[app.place] = before;
  n[app.previous] = without.once ? place + 1 : 0;
  return true;
}

/** What the leader does about the app: the first rule that applies, as in src/server/supervisor/rollout/plan.ts. */
export function plan(n: State, without: Omitted): boolean {
  if (n[time.generations] >= MOST) return false;
  if (above(n, without) || stray(n, without) || firstRun(n, without)) return true;
  if (n[app.want] === GONE) return deleted(n, without);
  const place = n[app.place];
  const other = 1 - place;
  const wish = published[other];
  if (n[wish.want] === GONE && isConfirmed(n, other)) {
    for (const field of Object.values(wish)) n[field] = 0;
    return true;
  }
  if (n[wish.want] === RUN || n[wish.want] === STOP) return publish(n, other, GONE, without);
  const isNew = n[published[place].want] !== n[app.want];
  if (isNew && n[app.want] === STOP) return publish(n, place, STOP, without);
  if (returnsOrArrives(n, without)) return true;
  const isHeld = n[wish.want] === GONE && !isDown(n, other);
  if (isNew && !isHeld) return publish(n, place, n[app.want], without);
  const isOutdated = n[wish.want] === GONE && !n[published[place].left] && n[published[place].want] !== NOTHING;
  if (isOutdated && n[published[place].want] !== GONE) return publish(n, place, n[published[place].want], without);
  return false;
}

/** The leading Supervisor. That another one writes nothing is checked in the model of counts. */
export function supervisorSteps(s: State, take: Take, without: Omitted): void {
  const next = s.slice();
  if (plan(next, without)) take('plan', false, next);
  for (const e of [0, 1]) {
    const fields = Object.keys(published[e]) as (keyof H.RecordFields)[];
    if (fields.some((field) => s[published[e][field]] !== s[records[e][field]])) {
      const written = s.slice();
      H.copyFields(written, published[e], records[e]);
      take(`record ${H.NAMES[e]}`, false, written);
    }
    const term = s[announced[e].term];
    if (term && !H.processes.some((me, p) => H.ENVIRONMENT_OF[p] === e && announces(s, me, term))) {
      const expired = s.slice();
      expired[announced[e].term] = 0;
      take(`announcement expires ${H.NAMES[e]}`, false, expired);
    }
  }
}

const announces = (s: State, me: H.ProcessFields, term: number) =>
  s[me.is] === H.UP && !s[me.noRedis] && s[me.term] === term;
