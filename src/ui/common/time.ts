const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

/** Cached: creating a format takes a hundred times as long as using it. */
const formats = new Map<
  string,
  Record<'exact' | 'clock' | 'day', Intl.DateTimeFormat> & { relative: Intl.RelativeTimeFormat }
>();

function formatsOf(language: string) {
  const known = formats.get(language) ?? {
    relative: new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' }),
    exact: new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' }),
    clock: new Intl.DateTimeFormat(language, { hour: 'numeric', minute: '2-digit' }),
    day: new Intl.DateTimeFormat(language, { month: 'short', day: 'numeric' }),
  };
  formats.set(language, known);
  return known;
}

/** `5 min. ago`; a time in the future, from another clock, is shown as now. */
export function relativeTime(at: number, now: number, language: string): string {
  const seconds = Math.max(0, Math.floor((now - at) / 1000));
  const [unit, size] = UNITS.find(([, least]) => seconds >= least) ?? ['second', 1];
  return formatsOf(language).relative.format(-Math.floor(seconds / size), unit);
}

export const exactTime = (at: number, language: string): string => formatsOf(language).exact.format(at);

/** `12:25`, at the axis of a plot. */
export const clockTime = (at: number, language: string): string => formatsOf(language).clock.format(at);

/** `Mar 4`, at the axis of a plot of several days. */
export const dayOf = (at: number, language: string): string => formatsOf(language).day.format(at);

/** `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) {
    return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
  }
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${Math.floor(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `512 B`, `8.2 MB`, `1.4 GB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log(bytes || 1) / Math.log(1024))));
  const value = bytes / 1024 ** power;
  return `${value < 10 && power ? Math.round(value * 10) / 10 : Math.round(value)} ${units[power]}`;
}

const DAY = 86_400_000;
/** Whole days until then, one at least. @param until, now in ms since 1970 */
export const daysUntil = (until: number, now: number): number => Math.max(1, Math.ceil((until - now) / DAY));
