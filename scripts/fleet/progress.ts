import type { Progress } from './fleet';

/** One line for each part; on a terminal it counts the seconds while the part starts. */
export function terminalProgress(out: NodeJS.WriteStream = process.stdout): Progress & { end(): void } {
  let current: { part: string; since: number; timer: NodeJS.Timeout | null } | null = null;

  const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
  const line = (part: string, rest: string) => `  ${part.padEnd(18)}${rest}`;
  const rewrite = (text: string) => out.write(`\r\u001b[2K${text}`);

  function begin(part: string): void {
    const since = performance.now();
    const timer = out.isTTY ? setInterval(() => rewrite(line(part, `starting … ${seconds(since)}`)), 100) : null;
    if (!timer) out.write(`${line(part, 'starting …')}\n`);
    current = { part, since, timer };
  }

  function end(): void {
    if (current?.timer) {
      clearInterval(current.timer);
      rewrite('');
    }
    current = null;
  }

  function ready(part: string, detail: string): void {
    const took = current ? seconds(current.since) : '';
    end();
    out.write(`${line(part, `ready in ${took.padEnd(8)}${detail}`)}\n`);
  }

  return { begin, ready, end };
}
