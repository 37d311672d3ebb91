/**
 * A time for docs/failure-modes.md: begins now, and prints what took how long whenever it is asked.
 *
 * @returns prints and answers the time since, in ms
 */
export function stopwatch(): (what: string) => number {
  const begun = performance.now();
  return (what) => {
    const took = performance.now() - begun;
    console.log(`measured: ${what}: ${(took / 1000).toFixed(1)} s`);
    return took;
  };
}
