/** The part of the host's logger that this plugin uses. Secrets never reach it. */
export interface LogSink {
  debug(message: string, details?: object): void;
  info(message: string, details?: object): void;
  warn(message: string, details?: object): void;
  error(message: string, details?: object): void;
}

/** The subject of a line. NocoBase's logger writes it as fields of `meta`, by which lines can be searched. */
export interface LogSubject {
  app?: string;
  environment?: string;
  /** Its id. */
  operation?: string;
}

/** The values of `APP_SUPERVISOR_DEBUG`: each enables detailed logging of one part of the plugin. */
export const LOG_ROOMS = ['boot', 'bus', 'fleet', 'lease', 'loop', 'proxy', 'records'] as const;
export type LogRoom = (typeof LOG_ROOMS)[number];

export interface Log extends LogSink {
  /** The same log; its lines also contain these fields. */
  bound(subject: LogSubject): Log;
  /**
   * Lines of a debug room, which exists only while `APP_SUPERVISOR_DEBUG` names it:
   * `log.rooms.lease?.('Taken', { term })` costs nothing otherwise, and does not evaluate its arguments.
   */
  readonly rooms: Readonly<Partial<Record<LogRoom, (message: string, details?: object) => void>>>;
}

export function createLog(sink: LogSink, rooms: readonly LogRoom[] = [], subject: LogSubject = {}): Log {
  const isBound = Object.keys(subject).length > 0;
  const write = (level: keyof LogSink) => (message: string, details?: object) =>
    sink[level](message, isBound ? { ...subject, ...details } : details);
  const info = write('info');
  // With level `info`, because whoever enables a room wants its lines, whatever LOGGER_LEVEL is set for the others.
  const lineOf = (room: LogRoom) => (message: string, details?: object) => info(message, { ...details, debug: room });
  return {
    debug: write('debug'),
    info,
    warn: write('warn'),
    error: write('error'),
    bound: (more) => createLog(sink, rooms, { ...subject, ...more }),
    rooms: Object.fromEntries(rooms.map((room) => [room, lineOf(room)])),
  };
}
