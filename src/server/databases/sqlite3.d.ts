/** The part of sqlite3 that we use: an installation has the package only if its dialect is SQLite. */
declare module 'sqlite3' {
  export const OPEN_READWRITE: number;
  export const OPEN_CREATE: number;
  export class Database {
    constructor(file: string, mode: number, opened: (error: Error | null) => void);
    all(
      sql: string,
      params: readonly unknown[],
      done: (error: Error | null, rows: Record<string, unknown>[]) => void,
    ): void;
    close(done: (error: Error | null) => void): void;
    configure(option: 'busyTimeout', ms: number): void;
  }
}
