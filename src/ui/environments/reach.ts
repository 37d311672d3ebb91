const TIMEOUT = 5_000;

/** Whether this browser gets any answer from a worker; what it says stays hidden from a page of another origin. */
export async function reachFromHere(url: string): Promise<boolean> {
  try {
    await fetch(url, { mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT) });
    return true;
  } catch {
    return false;
  }
}
