const TIMEOUT = 5_000;

/** Whether this browser gets any answer from a worker. A page of another origin cannot read the answer itself. */
export async function reachFromHere(url: string): Promise<boolean> {
  try {
    await fetch(url, { mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT) });
    return true;
  } catch {
    return false;
  }
}
