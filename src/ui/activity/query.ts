import { EVENT_KINDS, type EventKind } from '../../shared/words';

/** What the page "Activity" shows, as it is in the page's address. */
export interface ActivityQuery {
  /** Identifier of an app. */
  app?: string;
  environment?: string;
  /** Id of a user. */
  person?: string;
  kind?: EventKind;
  /** Up to now; excludes `from` and `to`. */
  last?: Period;
  /** In ms since 1970. */
  from?: number;
  to?: number;
  page: number;
  pageSize: number;
}

const HOUR = 3_600_000;
/** In ms. */
export const PERIODS = { '1h': HOUR, '24h': 24 * HOUR, '7d': 7 * 24 * HOUR, '30d': 30 * 24 * HOUR } as const;
export type Period = keyof typeof PERIODS;

export const PAGE_SIZES = [20, 50, 100];
const FIRST: Pick<ActivityQuery, 'page' | 'pageSize'> = { page: 1, pageSize: PAGE_SIZES[0] };

const oneOf = <T extends string>(values: readonly T[], value: string | null): T | undefined =>
  values.find((each) => each === value);
const time = (value: string | null): number | undefined => {
  const at = value === null ? Number.NaN : Date.parse(value);
  return Number.isNaN(at) ? undefined : at;
};
const whole = (value: string | null, fallback: number): number => {
  const number = Number(value);
  return Number.isInteger(number) && number > 0 ? number : fallback;
};

/** Reads an address. What is not understood is left out: people edit addresses, and keep old ones. */
export function queryOf(params: URLSearchParams): ActivityQuery {
  const last = oneOf(Object.keys(PERIODS) as Period[], params.get('last'));
  const size = whole(params.get('pageSize'), FIRST.pageSize);
  return {
    app: params.get('app') || undefined,
    environment: params.get('environment') || undefined,
    person: params.get('person') || undefined,
    kind: oneOf(EVENT_KINDS, params.get('kind')),
    last,
    from: last ? undefined : time(params.get('from')),
    to: last ? undefined : time(params.get('to')),
    page: whole(params.get('page'), FIRST.page),
    pageSize: PAGE_SIZES.includes(size) ? size : FIRST.pageSize,
  };
}

/** The opposite; what is as always is left out. */
export function addressOf({ from, to, ...query }: ActivityQuery): Record<string, string> {
  const iso = (at: number | undefined) => (at === undefined ? undefined : new Date(at).toISOString());
  const values = { ...query, from: iso(from), to: iso(to) };
  return Object.fromEntries(
    Object.entries(values)
      .filter(([key, value]) => value !== undefined && value !== FIRST[key as keyof typeof FIRST])
      .map(([key, value]) => [key, String(value)]),
  );
}

/** The filter of `appEvents:list`. @param now in ms since 1970 */
export function eventsFilter(query: Partial<ActivityQuery>, now: number): Record<string, unknown> {
  const { app, environment, person, kind, last, from, to } = query;
  const since = last ? now - PERIODS[last] : from;
  const at = { ...(since !== undefined && { $gte: since }), ...(to !== undefined && { $lte: to }) };
  return {
    ...(app && { appName: app }),
    ...(environment && { environment }),
    ...(person && { createdById: person }),
    ...(kind && { kind }),
    ...(Object.keys(at).length && { at }),
  };
}

export const isFiltered = (query: ActivityQuery): boolean => Object.keys(eventsFilter(query, 0)).length > 0;

/** The value of an input of the type `datetime-local`: in the time zone of the browser, to the minute. */
export function toLocalInput(at: number | undefined): string {
  if (at === undefined) return '';
  const date = new Date(at);
  return new Date(at - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The opposite. */
export const fromLocalInput = (value: string): number | undefined => time(value || null);
