/**
 * The code of the thread that watches the event loop. Only its text is used, so no function here refers to anything of this
 * module but by its parameters.
 */

/** What the thread has seen. Times are of the monotonic clock, in ms. */
export interface Watched {
  /** When it last looked. */
  at: number;
  /** How often the loop had turned by then. */
  beats: number;
  /** Since when the loop has not turned. */
  since: number;
}

/**
 * What is known after another look. A look that comes late itself says nothing about the loop: the machine slept, the process
 * was stopped, or had no processor; then the time begins anew.
 */
export function look(before: Watched, at: number, beats: number): Watched {
  const LATE = 5_000;
  const isNew = beats !== before.beats || at - before.at > LATE;
  return { at, beats, since: isNew ? at : before.since };
}

export interface ThreadData {
  /** The work of the loop, and how often it has turned. */
  shared: Int32Array;
  /** How long the loop may not turn, in ms. */
  limit: number;
  /** How often the thread looks, in ms. */
  every: number;
  /** Where the thread writes what ran. */
  file: string;
}

/**
 * Writes over what is there: on a disk that is full, nothing else can be written.
 * @param text null: what is there stays, and the file gets the room for a text
 */
export function writeOver(fs: any, file: string, text: string | null): void {
  /** More than a note has. */
  const ROOM = 4_096;
  const handle = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  try {
    const kept = text === null ? fs.fstatSync(handle).size : 0;
    const bytes = Buffer.alloc(Math.max(ROOM - kept, Buffer.byteLength(text ?? '')), ' ');
    bytes.write(text ?? '');
    fs.writeSync(handle, bytes, 0, bytes.length, kept);
    fs.ftruncateSync(handle, kept + bytes.length);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

export function watchLoop(load: (module: string) => any, see: typeof look, write: typeof writeOver): void {
  const { parentPort, workerData } = load('node:worker_threads');
  const fs = load('node:fs');
  const path = load('node:path');
  const { performance } = load('node:perf_hooks');
  const { setInterval, setTimeout } = load('node:timers');
  const { shared, limit, every, file } = workerData as ThreadData;
  const works = new Map<number, any>();
  const starts = new Map<string, object>();
  let isEnding = false;

  /** Where the loop is, as far as it can still be asked: not in a call of the system. */
  function place(): Promise<string> {
    return new Promise((resolve) => {
      setTimeout(() => resolve(''), 2_000);
      try {
        const session = new (load('node:inspector').Session)();
        session.connectToMainThread();
        const question = { expression: 'String(new Error().stack)', returnByValue: true };
        session.post('Runtime.evaluate', question, (_: unknown, answer: any) =>
          resolve(String(answer?.result?.value ?? '').replace(/^Error\n.*<anonymous>.*\n/, '')),
        );
      } catch {
        resolve('');
      }
    });
  }

  async function end(seconds: number): Promise<void> {
    isEnding = true;
    const beats = Atomics.load(shared, 1);
    const work = works.get(Atomics.load(shared, 0)) ?? null;
    const stack = await place();
    isEnding = false;
    // It turns again: nobody is ended.
    if (Atomics.load(shared, 1) !== beats) return;
    try {
      const note = work && { ...starts.get(work.app), seconds, work };
      if (note) write(fs, file, JSON.stringify(note));
      const who = work ? JSON.stringify(work) : 'work of the main app';
      const text = `App Supervisor: the event loop did not turn for ${seconds} s, busy with ${who}. The process ends.`;
      fs.writeSync(2, `${text}\n${stack}\n`);
    } finally {
      process.kill(process.pid, 'SIGKILL');
    }
  }

  parentPort.on('message', ({ id, work, start }: any) => {
    if (start) starts.set(start.app, start);
    else works.set(id, work);
  });
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    write(fs, file, null);
  } catch {
    // The disk is full already, or cannot be written at all.
  }
  let watched = { at: performance.now(), beats: 0, since: performance.now() };
  setInterval(() => {
    watched = see(watched, performance.now(), Atomics.load(shared, 1));
    const still = watched.at - watched.since;
    if (still >= limit && !isEnding) void end(Math.round(still / 1000));
  }, every);
}
