import { inEnglish, isErrorCode } from '../../src/server/errors';
import type { OperationRow } from '../../src/shared/types';
import type { Asked, Harmed, History, Look, Sample, Settling } from './history';
import { runsAt, type Span, spansOf, unlockedOf } from './spans';

/** The rules for every history. The check is pure: the same history has the same result. */

export const RULES = {
  lost: 'every accepted change ends, and the last word on an app is in effect',
  refused: 'a change is refused by a code of the Supervisor, or not at all',
  failed: 'no change fails for what the run did to the processes',
  twice: 'no change boots an app twice in one process',
  doubleBoot: 'no app boots in two processes at once',
  misplaced: 'no app runs where it should not',
  lie: 'what is shown was true within the last 20 s',
  late: 'in the quiet, every status is the truth within 20 s',
  request: 'no request to the untouched app fails',
  crash: 'no exception and no rejection goes uncaught',
  gone: 'no process ends that nobody ended',
  lock: 'no lock is left behind',
} as const;
export type Rule = keyof typeof RULES;

export interface Violation {
  rule: Rule;
  what: string;
  at: number;
}

/** How long the shown status may lag behind, in ms. */
const LAG = 20_000;
/** How long a Worker may still execute a change that failed or was superseded, in ms. */
const AFTERMATH = 60_000;
/** Consecutive crashes in the boot of one app after which it is no longer booted. */
const KEPT_OUT_AFTER = 3;
/** Time within which an app ends whose boot has lost its lock, from when it ran, in ms. */
const GIVEN_UP_WITHIN = 10_000;
/** How long after its session was cut a boot fails that asks something in it, at most, in ms. */
const TOLD_WITHIN = 15_000;

const boots = ({ action, environments }: Asked): boolean =>
  action === 'update' ? environments !== null : action !== 'stop' && action !== 'destroy';

export function check(history: History): Violation[] {
  const changes = resolve(history);
  return [
    ...lost(changes),
    ...refused(history),
    ...failed(history, changes),
    ...twice(history, changes),
    ...doubleBoot(history),
    ...history.settlings.flatMap((settling) => wrongPlaces(history, settling, changes)),
    ...wrongStatuses(history),
    ...late(history),
    ...requests(history),
    ...processes(history),
    ...history.settlings.flatMap(({ locks, healedAt }) =>
      locks.map((lock): Violation => ({ rule: 'lock', what: lock, at: healedAt })),
    ),
  ].sort((a, b) => a.at - b.at);
}

/** An accepted change, with its result. */
interface Made extends Asked {
  operation: OperationRow | null;
}

function resolve({ asked, recorded }: History): Made[] {
  const byId = new Map(recorded.map((operation) => [operation.id, operation]));
  return asked.flatMap((change): Made[] => (change.id ? [{ ...change, operation: byId.get(change.id) ?? null }] : []));
}

const describe = ({ app, action, id }: Asked) => `${action} ${app} (${id})`;

function lost(changes: Made[]): Violation[] {
  return changes.flatMap((change, index): Violation[] => {
    const violation = (what: string): Violation[] => [
      { rule: 'lost', what: `${describe(change)} ${what}`, at: change.at },
    ];
    const { operation } = change;
    if (!operation) return violation('was accepted and is not on record');
    if (operation.finishedAt === null)
      return violation(`never ended; it waits for ${operation.waitingFor && inEnglish(operation.waitingFor)}`);
    const newer = changes.slice(index + 1).some(({ app }) => app === change.app);
    if (operation.state === 'cancelled' && !newer) return violation('was cancelled, and nothing came in its place');
    return [];
  });
}

function refused({ asked }: History): Violation[] {
  return asked.flatMap((change): Violation[] =>
    change.refusal && !isErrorCode(change.refusal.code ?? '')
      ? [{ rule: 'refused', what: `${change.action} ${change.app}: ${change.refusal.answer}`, at: change.at }]
      : [],
  );
}

function failed({ harms, processes }: History, changes: Made[]): Violation[] {
  return changes.flatMap((change, index): Violation[] => {
    if (change.operation?.state !== 'failed') return [];
    const begun = begunBy(changes.slice(0, index + 1).filter(({ app }) => app === change.app));
    const item = change.operation.progress.find(({ state }) => state === 'failed');
    // The operation may go on elsewhere.
    const until = item?.finishedAt ?? change.operation.finishedAt ?? Number.POSITIVE_INFINITY;
    const cut = harms.flatMap(({ from, locks }) => {
      const isOfIt = locks?.some(({ app, environment }) => app === change.app && environment === item?.environment);
      return isOfIt && from >= begun.at && from <= until ? [from] : [];
    });
    const code = item?.error?.code;
    if (code === 'LOCK_LOST' && cut.length) return [];
    // A boot that is still taking its lock is told soon that the server cannot be reached.
    if (code === 'DATABASE_UNREACHABLE' && cut.some((at) => until - at < TOLD_WITHIN)) return [];
    const deaths = processes.filter(({ part, endedAt }) => part === item?.environment && endedAt && endedAt <= until);
    if (code === 'APP_CRASH_LOOP' && deaths.length >= KEPT_OUT_AFTER) return [];
    const why = `${item?.environment}: ${code} ${item?.error && inEnglish(item.error)}`;
    return [{ rule: 'failed', what: `${describe(change)} failed in ${why}`, at: change.at }];
  });
}

/** Of the changes of one app, the first of those that the last one superseded: their boots count as its own. */
function begunBy(changes: Made[]): Made {
  const ended = changes.findLastIndex(
    ({ operation }, index) => index < changes.length - 1 && operation?.state !== 'cancelled',
  );
  return changes[ended + 1];
}

function doubleBoot(history: History): Violation[] {
  const spans = spansOf(history);
  const unlocked = unlockedOf(history, spans);
  const alone = spans.filter((span) => !unlocked.has(span));
  return alone.flatMap((one, index) =>
    alone
      .slice(index + 1)
      .filter((other) => other.app === one.app && other.life !== one.life)
      .filter((other) => one.from < other.booted && other.from < one.booted)
      .map(
        (other): Violation => ({
          rule: 'doubleBoot',
          what: `${one.app} booted in ${one.environment} (process ${one.life.pid}) and ${other.environment} (process ${other.life.pid}) at once`,
          at: Math.max(one.from, other.from),
        }),
      ),
  );
}

/**
 * Each boot has its own cause: the start of its process, if the app existed before; a change that boots it; a visit; an
 * earlier boot that failed, or was given up because of its lost lock.
 */
function twice(history: History, changes: Made[]): Violation[] {
  const spans = spansOf(history);
  const unlocked = unlockedOf(history, spans);
  const failed = (span: Span) => !span.ran || (unlocked.has(span) && span.ran.to - span.ran.from <= GIVEN_UP_WITHIN);
  const violations: Violation[] = [];
  for (const life of history.processes) {
    for (const app of new Set(life.boots.map((boot) => boot.app))) {
      const here = spans.filter((span) => span.life === life && span.app === app).sort((a, b) => a.from - b.from);
      const causes = causesOf(changes.filter((change) => change.app === app));
      for (const visit of history.visits)
        if (visit.app === app) causes.push({ from: visit.at, to: visit.at + AFTERMATH });
      const hostedBefore = spans.some(
        (span) => span.app === app && span.environment === life.part && span.from < life.begunAt,
      );
      let own = hostedBefore ? 1 : 0;
      for (const [index, span] of here.entries()) {
        if (index > 0 && failed(here[index - 1])) continue;
        if (own > 0) {
          own--;
          continue;
        }
        causes.sort((a, b) => a.to - b.to);
        const cause = causes.findIndex(({ from, to }) => from <= span.from && span.from <= to);
        if (cause >= 0) causes.splice(cause, 1);
        else {
          violations.push({
            rule: 'twice',
            what: `${app} booted in ${life.part} (process ${life.pid}) with no cause left: boot ${index + 1} of ${here.length}`,
            at: span.from,
          });
        }
      }
    }
  }
  return violations;
}

/**
 * The time during which each change of one app may boot it. A successful change has been executed everywhere by its
 * end; the rest of a superseded one is done by the change that superseded it.
 */
function causesOf(changes: Made[]): Array<{ from: number; to: number }> {
  let later = 0;
  return changes
    .toReversed()
    .map((change) => {
      const { finishedAt = null, state } = change.operation ?? {};
      const own = finishedAt === null ? Number.POSITIVE_INFINITY : finishedAt + (state === 'succeeded' ? 0 : AFTERMATH);
      later = state === 'cancelled' ? Math.max(own, later) : own;
      return { change, from: change.at, to: later };
    })
    .filter(({ change }) => boots(change));
}

interface Expected {
  /** Empty once it is deleted. */
  environments: string[];
  startMode: 'withMain' | 'onVisit';
  /** Null if a change of it failed: then both are correct. */
  running: boolean | null;
}

/** The state that the last change of each app requests. A change that failed at its new place is undone, by a move that nobody asked for. */
function expectedAt(changes: Made[], at: number, { recorded }: History): Map<string, Expected> {
  const apps = new Map<string, Expected>();
  const undoing = recorded.filter(({ action, cause, createdBy }) => action === 'move' && !cause && !createdBy);
  const undoneBy = ({ app, operation, at }: Made) => {
    const next = changes.find((other) => other.app === app && other.at > at)?.operation;
    const failedAt = operation?.state === 'failed' ? (operation.finishedAt ?? at) : Number.POSITIVE_INFINITY;
    return undoing.find(
      ({ appName, createdAt }) =>
        appName === app && createdAt >= failedAt && createdAt < (next?.createdAt ?? Number.POSITIVE_INFINITY),
    );
  };
  for (const change of changes) {
    if (change.at > at) continue;
    const before = apps.get(change.app) ?? { environments: [], startMode: 'withMain', running: false };
    const now = { ...before };
    if (change.environments) now.environments = change.environments;
    if (change.startMode) now.startMode = change.startMode;
    if (change.action === 'destroy') Object.assign(now, { environments: [], running: false });
    else if (change.action !== 'update') now.running = change.action !== 'stop';
    if (change.operation?.state === 'failed') now.running = null;
    for (const { environment, of } of undoneBy(change)?.progress ?? []) {
      now.environments = now.environments.filter((name) => name !== environment);
      if (of !== 'leave') now.environments.push(environment);
    }
    apps.set(change.app, now);
  }
  return apps;
}

/** Where an app does not run that should, or runs that should not, at the last observation of a quiet time. */
export function wrongPlaces(history: History, settling: Settling, changes = resolve(history)): Violation[] {
  const look = settling.looks.at(-1);
  if (!look) return [];
  const spans = spansOf(history);
  const violations: Violation[] = [];
  for (const [app, { environments, running, startMode }] of expectedAt(changes, settling.healedAt, history)) {
    for (const environment of hostsOf(history)) {
      const here = runsAt(spans, app, environment, look.to);
      const assigned = environments.includes(environment);
      if (here && (!assigned || running === false)) {
        violations.push({ rule: 'misplaced', what: `${app} runs in ${environment} and should not`, at: look.to });
      }
      if (!here && assigned && running && startMode === 'withMain') {
        const what = `${app} should run in ${environment} and does not (shown ${look.shown[app]?.[environment]})`;
        violations.push({ rule: 'lost', what, at: look.to });
      }
    }
  }
  return violations;
}

const hostsOf = ({ processes }: History) =>
  [...new Set(processes.map(({ part }) => part))].filter((part) => part !== 'supervisor');

/** A sample must have been true at some moment from `LAG` before its request until its answer. */
function wrongStatuses(history: History): Violation[] {
  const spans = spansOf(history);
  const frozen = history.harms.filter(({ harm }) => harm === 'freeze');
  return history.samples.flatMap((sample) =>
    claimsOf(sample).flatMap(({ app, environment, status }): Violation[] => {
      const window = { from: sample.from - LAG, to: sample.to };
      const ran = spans
        .filter((span) => span.app === app && span.environment === environment)
        .flatMap(({ ran }) => ran ?? []);
      const true_ =
        status === 'running'
          ? ran.some((span) => isAwake(span, environment, frozen, window))
          : !ran.some(({ from, to }) => from < window.from && to > window.to);
      if (true_) return [];
      const what = `${app} was shown ${status} in ${environment} and had not been so for ${LAG / 1000} s`;
      return [{ rule: 'lie', what, at: sample.from }];
    }),
  );
}

/** Whether any moment of the window is in the span and outside of every freeze. */
function isAwake(
  span: { from: number; to: number },
  environment: string,
  frozen: Harmed[],
  window: { from: number; to: number },
): boolean {
  let from = Math.max(span.from, window.from);
  const to = Math.min(span.to, window.to);
  for (const freeze of frozen)
    if (freeze.target === environment && freeze.from <= from && from < freeze.to) from = freeze.to;
  return from <= to;
}

/** The other statuses claim nothing: something is in progress, or is not observed. */
const CLAIMS = new Set(['running', 'stopped', 'dormant', 'error', 'not_found']);

const claimsOf = ({ shown }: Sample) =>
  Object.entries(shown).flatMap(([app, statuses]) =>
    Object.entries(statuses)
      .filter(([, status]) => CLAIMS.has(status))
      .map(([environment, status]) => ({ app, environment, status })),
  );

/** Differences between an observation of the quiet fleet and the truth, as text. */
export function disagreements(look: Look, history: Pick<History, 'processes'>): string[] {
  const spans = spansOf(history as History);
  const found: string[] = [];
  for (const [app, statuses] of Object.entries(look.shown)) {
    for (const [environment, status] of Object.entries(statuses)) {
      const here = runsAt(spans, app, environment, look.to);
      const answer = look.answered[app]?.[environment];
      const agrees =
        status === 'running'
          ? here && answer === '200'
          : status === 'stopped'
            ? !here && answer === '503 APP_STOPPED'
            : (status === 'dormant' || status === 'error') && !here;
      if (!agrees)
        found.push(`${app} in ${environment} is shown ${status}, ${here ? 'runs' : 'does not run'}, answers ${answer}`);
    }
  }
  for (const { app, environment, ran } of spans) {
    if (ran && ran.from <= look.to && look.to < ran.to && look.shown[app]?.[environment] === undefined)
      found.push(`${app} runs in ${environment} and is not shown there`);
  }
  return found;
}

/** From when on everything shown was true, and how long that took from the last change, in ms; null if it never was. */
export function agreement(settling: Settling, history: History): { at: number; took: number } | null {
  const look = settling.looks.find((candidate) => disagreements(candidate, history).length === 0);
  if (!look || settling.operationsEndedAt === null) return null;
  const changes = history.processes
    .flatMap(({ boots }) => boots.flatMap(({ addedAt, runningAt, goneAt }) => [addedAt, runningAt, goneAt]))
    .filter((at) => at !== null && at <= look.to) as number[];
  // From the request on: later results may be missing in the answer.
  return {
    at: look.to,
    took: Math.max(0, look.from - Math.max(settling.healedAt, settling.operationsEndedAt, ...changes)),
  };
}

function late(history: History): Violation[] {
  return history.settlings.flatMap((settling): Violation[] => {
    const agreed = agreement(settling, history);
    if (agreed && agreed.took <= LAG) return [];
    const last = settling.looks.at(-1);
    const found = last ? disagreements(last, history) : ['nobody looked'];
    const what = agreed ? `the truth was shown ${agreed.took} ms after the last change` : found.join('; ');
    return [{ rule: 'late', what: what || 'an operation never ended', at: settling.healedAt }];
  });
}

function requests({ requests, harms }: History): Violation[] {
  const away = harms.filter(({ target }) => target === 'supervisor');
  return requests.flatMap(({ through, failed }) =>
    failed
      .filter(({ from, to }) => through !== 'supervisor' || !away.some((harm) => from <= harm.to && to >= harm.from))
      .map(({ from, why }): Violation => ({ rule: 'request', what: `through ${through}: ${why}`, at: from })),
  );
}

function processes({ processes }: History): Violation[] {
  return processes.flatMap((life): Violation[] => [
    ...life.crashes.map(
      ({ at, message }): Violation => ({ rule: 'crash', what: `${life.part} (process ${life.pid}): ${message}`, at }),
    ),
    ...(life.endedAt !== null && !life.ended
      ? [{ rule: 'gone' as const, what: `${life.part} (process ${life.pid}) ended by itself`, at: life.endedAt }]
      : []),
  ]);
}
