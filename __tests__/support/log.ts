import type { Log } from '../../src/server/log';

export interface RecordedLog extends Log {
  readonly lines: string[];
  /** Whatever was said at this level. */
  at(level: keyof Log): string[];
}

/** Keeps what is logged, so that a test can ask for it. */
export function recordedLog(): RecordedLog {
  const entries: Array<{ level: keyof Log; text: string }> = [];
  const write = (level: keyof Log) => (message: string, details?: object) => {
    entries.push({ level, text: details ? `${message} ${JSON.stringify(details)}` : message });
  };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    get lines() {
      return entries.map(({ level, text }) => `${level} ${text}`);
    },
    at: (level) => entries.filter((entry) => entry.level === level).map(({ text }) => text),
  };
}
