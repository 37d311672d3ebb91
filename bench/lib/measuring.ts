import { startModule } from './contenders';
import { usage } from './process';
import { type Bar, median } from './report';
import { load } from './wrk';

const SECONDS = 1;
const PAIRS = 15;
/** Seconds. */
const WARM_UP = 6;

/**
 * What the metrics cost the module in CPU time. One process turns them on and off, and each turn with them is compared with the one
 * without them beside it: two processes of the same code were seen to differ by 15 % on a busy machine.
 */
export async function benchMeasuring(
  origin: string,
  { path, connections }: { path: string; connections: number },
): Promise<Bar> {
  const { url, pid, stop } = await startModule(origin);
  const turn = async (seconds = SECONDS) => {
    const before = usage(pid).cpu;
    const { requests } = await load({ url: url + path, connections, seconds });
    return (usage(pid).cpu - before) / requests;
  };
  const toggle = () => process.kill(pid, 'SIGUSR2');
  const ratios: number[] = [];
  try {
    // Both ways are compiled.
    await turn(WARM_UP);
    toggle();
    await turn(WARM_UP);
    for (let pair = 0; pair < PAIRS; pair++) {
      // It begins as the last one has ended, so that neither way always comes first.
      const first = await turn();
      toggle();
      const second = await turn();
      ratios.push(pair % 2 ? first / second : second / first);
    }
  } finally {
    await stop();
  }
  return { what: 'our module measuring against not, by CPU time', measured: median(ratios), unit: '×', atLeast: 0.95 };
}
