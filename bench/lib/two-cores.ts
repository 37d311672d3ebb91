import { availableParallelism } from 'node:os';
import { startDoor } from './haproxy';
import type { Nginx } from './nginx';
import { takeTwoCores } from './process';
import { median, type Report } from './report';
import { type Load, load } from './wrk';

const CORES = 4;

/** What a second core brings to the door. Two more are needed for its visitors and the origin. To be called last: it moves them. */
export async function benchTwoCores(
  { url, pid }: Nginx,
  asked: Omit<Load, 'url'> & { path: string; app: string },
  rounds: number,
  report: Report,
): Promise<void> {
  const bar = { what: 'the door on two cores against one, requests a second', unit: '×', atLeast: 1.7 };
  if (availableParallelism() < CORES) {
    report.bars.push({ ...bar, measured: null });
    return;
  }
  const [one, two] = [await startDoor(url, [asked.app]), await startDoor(url, [asked.app], 2)];
  takeTwoCores(two.pid, [pid]);
  const rate = async (door: { url: string }) => (await load({ ...asked, threads: 2, url: door.url + asked.path })).rate;
  const brought: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const alone = await rate(one);
    brought.push((await rate(two)) / alone);
  }
  for (const door of [one, two]) await door.stop();
  report.bars.push({ ...bar, measured: median(brought) });
}
