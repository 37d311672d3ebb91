import { createLog, type Log, type LogRoom, type LogSink } from '../../src/server/log';

export interface RecordedLog extends Log {
  readonly lines: string[];
  /** Whatever was said at this level. */
  at(level: keyof LogSink): string[];
}

/** Keeps what is logged, so that a test can ask for it. @param rooms those of `APP_SUPERVISOR_DEBUG` */
export function recordedLog(rooms: LogRoom[] = []): RecordedLog {
  const entries: Array<{ level: keyof LogSink; text: string }> = [];
  const write = (level: keyof LogSink) => (message: string, details?: object) => {
    entries.push({ level, text: details ? `${message} ${JSON.stringify(details)}` : message });
  };
  const sink = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  return {
    ...createLog(sink, rooms),
    get lines() {
      return entries.map(({ level, text }) => `${level} ${text}`);
    },
    at: (level) => entries.filter((entry) => entry.level === level).map(({ text }) => text),
  };
}
