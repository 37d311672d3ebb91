import { chmodSync, fchmodSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Transports } from '@nocobase/logger';

/**
 * Keeps sessions out of NocoBase's logs: its request log has the whole address of a request and its `Referer`, for main and for
 * every app, and an app's administrator may download that of his app.
 */

const STRUCK_OUT = '******';

// Each begins where a longer run of its characters begins, so that a line of any length takes the time of its length.
/** NocoBase's tokens and API keys, wherever they are. */
const JWT = /(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g;
/** Parameters of addresses, also of one inside of another. */
const PARAMETER = /((?:[?&]|%(?:25)*(?:3F|26))(?:token|code)(?:=|%(?:25)*3D))(?:(?!%(?:25)*(?:26|23))[^&#\s"'\\|])+/gi;
/** Parameters of actions, as JSON. Codes of errors (`APP_STOPPED`) stay. */
const FIELD = /("(?:token\\*":\s*\\*"|code\\*":\s*\\*"(?![A-Z_]+\\*"|[^"\\]{0,15}\\*")))[^"\\]+/g;

/** Passwords in addresses, as of databases and Redis. */
const PASSWORD = /(:\/\/[^\s/:@]{0,64}:)[^\s/@]{1,256}(?=@)/g;

/** A line of a log without tokens, codes and passwords. @param secrets what else it may not show */
export const redacted = (line: string, secrets: readonly string[] = []): string =>
  secrets.reduce(
    (text, secret) => text.replaceAll(secret, STRUCK_OUT),
    line
      .replace(JWT, STRUCK_OUT)
      .replace(PARAMETER, `$1${STRUCK_OUT}`)
      .replace(FIELD, `$1${STRUCK_OUT}`)
      .replace(PASSWORD, `$1${STRUCK_OUT}`),
  );

/** Winston's key of the finished line. */
const LINE = Symbol.for('message');

interface Format {
  transform(info: object, options?: unknown): object | boolean;
  options?: unknown;
}
interface Transport {
  format?: Format;
  /** Of the transport `dailyRotateFile`; gives the file descriptor of each file that it opens. */
  logStream?: { on(event: 'open', listener: (fd: number) => void): void };
  on(event: 'open', listener: (file: string) => void): void;
}
type Make = (options?: { dirname?: string }) => Transport;

/**
 * Called once, before NocoBase makes a logger: every transport that it makes from then on writes redacted lines, and files that
 * this user alone reads. Its loggers know no other hook: options of a transport are part of the name of the file by which old
 * logs are deleted.
 */
export function keepSecretsOutOfLogs(): void {
  const transports = Transports as unknown as Record<'console' | 'file' | 'dailyRotateFile', Make>;
  for (const kind of ['console', 'file', 'dailyRotateFile'] as const) {
    const make = transports[kind];
    transports[kind] = (options) => {
      if (options?.dirname !== undefined && kind !== 'console') closeFolder(options.dirname);
      const transport = make(options);
      if (transport.format) transport.format = redacting(transport.format);
      transport.logStream?.on('open', (fd) => attempt(() => fchmodSync(fd, 0o600)));
      if (kind === 'file') transport.on('open', (file) => attempt(() => chmodSync(file, 0o600)));
      return transport;
    };
  }
}

const redacting = (format: Format): Format => ({
  options: format.options,
  transform(info, options) {
    const done = format.transform(info, options) as { [LINE]?: unknown } | boolean;
    if (typeof done === 'object' && typeof done[LINE] === 'string') done[LINE] = redacted(done[LINE]);
    return done;
  },
});

/** Files of former releases have what is not written any more. A folder that exists keeps its permissions. */
function closeFolder(folder: string): void {
  attempt(() => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(folder))
      if (/\.log(?:\.|$)/.test(name)) attempt(() => chmodSync(path.join(folder, name), 0o600));
  });
}

/** A storage whose files belong to another user is the operator's business: a log must not keep the process from its work. */
function attempt(work: () => void): void {
  try {
    work();
  } catch {}
}
