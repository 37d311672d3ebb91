/** A line of a log, taken apart. */
export interface LogLine {
  /** As it is in the log, in the time zone of the Worker; null for a line that goes on with the one before. */
  time: string | null;
  /** That of the line before, if it goes on with that one. */
  level: Level | null;
  message: string;
  /** The other fields, as far as they are not empty. */
  details: string;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

/** What a filter shows: at least this level. */
export const LEVEL_FILTERS = ['info', 'warn', 'error'] as const satisfies readonly Level[];

// biome-ignore lint/suspicious/noControlCharactersInRegex: colors of terminals
const COLORS = /\u001b\[\d+m/g;
const TIME = String.raw`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?`;
/** The formats of NocoBase (`LOGGER_FORMAT`). */
const LOGFMT = new RegExp(String.raw`^level=(\w+) message=(.*?)((?: \w+=.*)?) timestamp=(${TIME})$`);
const CONSOLE = new RegExp(String.raw`^(${TIME}) \[(\w+)\s*\]\s+(.*?)(?:\s{2,}(.*))?$`);
const DELIMITER = new RegExp(String.raw`^(\w+)\|(.*)\|(${TIME})$`);
const NEXT_FIELD = / (?=\w+=)/;

const levelOf = (text: string): Level | null => LEVELS.find((level) => level === text) ?? null;

/** `name=value`, without those that say nothing. */
const withoutEmpty = (fields: string): string =>
  fields
    .split(NEXT_FIELD)
    .filter((field) => !/^\w*=(\{\}|)$/.test(field) && field.trim())
    .join(' ');

function ofJson(line: string): LogLine | null {
  try {
    const { level, timestamp, message, ...rest } = JSON.parse(line);
    const fields = Object.entries(rest)
      .filter(([, value]) => value !== '' && value !== null && JSON.stringify(value) !== '{}')
      .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
    return {
      time: typeof timestamp === 'string' ? timestamp : null,
      level: levelOf(String(level)),
      message: String(message ?? ''),
      details: fields.join(' '),
    };
  } catch {
    return null;
  }
}

function parsed(line: string): LogLine | null {
  if (line.startsWith('{')) return ofJson(line);
  const logfmt = LOGFMT.exec(line);
  if (logfmt) {
    const [, level, message, rest, time] = logfmt;
    return { time, level: levelOf(level), message, details: withoutEmpty(rest.trim()) };
  }
  const written = CONSOLE.exec(line);
  if (written) {
    const [, time, level, message, rest = ''] = written;
    return { time, level: levelOf(level), message: message.trim(), details: rest.trim() };
  }
  const delimited = DELIMITER.exec(line);
  if (!delimited) return null;
  const [, level, message, time] = delimited;
  return { time, level: levelOf(level), message, details: '' };
}

/** Takes the lines of a log apart, whatever format NocoBase writes it in. What is not understood is shown as it is. */
export function linesOf(lines: readonly string[]): LogLine[] {
  let level: Level | null = null;
  return lines
    .map((line) => line.replace(COLORS, ''))
    .filter((line) => line.trim())
    .map((line) => {
      const known = parsed(line);
      if (known) level = known.level;
      return known ?? { time: null, level, message: line, details: '' };
    });
}

/** The lines that are at least this severe, and contain this text. */
export function filtered(lines: readonly LogLine[], least: Level | undefined, text: string): LogLine[] {
  const wanted = text.trim().toLowerCase();
  return lines.filter(
    ({ level, message, details, time }) =>
      (!least || (level !== null && LEVELS.indexOf(level) >= LEVELS.indexOf(least))) &&
      (!wanted || `${time ?? ''} ${message} ${details}`.toLowerCase().includes(wanted)),
  );
}

/** Where an app has a log, sorted: in its environments, and where it was when something happened. @param asked null: nowhere in particular */
export const logPlaces = ({ environments }: { environments: readonly string[] }, asked: string | null): string[] =>
  [...new Set([...environments, ...(asked === null ? [] : [asked])])].sort();
