/** Makes a function that does its work at once, and then at most once every `spacing` ms; the last call is never lost. */
export function spaced(work: () => void, spacing: number): () => void {
  let timer: NodeJS.Timeout | null = null;
  let again = false;
  const run = () => {
    work();
    timer = setTimeout(() => {
      timer = null;
      if (!again) return;
      again = false;
      run();
    }, spacing);
    timer.unref();
  };
  return () => {
    if (timer) again = true;
    else run();
  };
}
