/** Delays before the retries, in seconds. */
const WAITS = [5, 15, 30];

/**
 * For what is downloaded, which fails at times: the network, a mirror that is being updated, another process that holds a
 * lock. The last failure is thrown.
 *
 * @param {(line: string) => void} print
 * @param {() => void} install throws when it failed
 */
export function retried(print, install) {
  for (const seconds of WAITS) {
    try {
      return install();
    } catch (error) {
      print(`${error instanceof Error ? error.message : error}\nIt is tried again in ${seconds} s …`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1_000);
    }
  }
  return install();
}
