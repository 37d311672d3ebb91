import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Fleet } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { Manager } from '../support/manager';

/** One of two environments killed under load, as its visitors meet it. */

let fleet: Fleet;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('busy');
  await manager.create({ name: 'busy', environments: ['env_a', 'env_b'], startMode: 'withMain' });
});

afterAll(async () => {
  await fleet.heal();
  await fleet.waitForWorkers();
  await manager.clear('busy');
});

const RATE = 200;
const SECONDS = 60;
const PATH = '/api/__app/busy/systemSettings:get';

it(`fewer than 0.1 % of ${RATE} reading requests a second fail when the environment that serves them dies`, async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 200 });
  const failures: string[] = [];
  const servedBy = new Map<string, number>();
  const took: number[] = [];
  const visit = async () => {
    const from = performance.now();
    const { status, environment, text } = await get(agent, `${fleet.supervisor.url}${PATH}`);
    took.push(performance.now() - from);
    if (status === 200) servedBy.set(environment, (servedBy.get(environment) ?? 0) + 1);
    else failures.push(`after ${Math.round(from - begun)} ms: ${status} ${text.slice(0, 150)}`);
  };
  const begun = performance.now();
  const visits: Array<Promise<void>> = [];
  let killed: Promise<void> | undefined;
  // By the clock and not by answers: a visitor does not wait for the others.
  while (visits.length < RATE * SECONDS) {
    const due = Math.min(RATE * SECONDS, ((performance.now() - begun) * RATE) / 1000);
    while (visits.length < due) visits.push(visit());
    if (!killed && visits.length > (RATE * SECONDS) / 2) killed = fleet.worker('env_a').kill();
    await sleep(5);
  }
  await Promise.all([...visits, killed]);
  agent.destroy();
  took.sort((a, b) => a - b);
  console.log(
    `${visits.length} requests in ${Math.round((performance.now() - begun) / 1000)} s, ${failures.length} failed; ` +
      `served by ${[...servedBy].map(([name, count]) => `${name} ${count}`).join(', ')}; ` +
      `p50 ${Math.round(took[took.length >> 1])} ms, p99 ${Math.round(took[Math.floor(took.length * 0.99)])} ms`,
  );
  // The one that dies is the one that has served so far, and the other one takes over.
  expect(servedBy.get('env_a')).toBeGreaterThan(RATE);
  expect(servedBy.get('env_b')).toBeGreaterThan(RATE);
  expect(failures.length, failures.slice(0, 20).join('\n')).toBeLessThan((RATE * SECONDS) / 1000);
});

function get(agent: http.Agent, url: string): Promise<{ status: number; environment: string; text: string }> {
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve({ status: 0, environment: '', text: error.message });
    const request = http.get(url, { agent, timeout: 30_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', failed);
      response.on('end', () => {
        const environment = String(response.headers['x-app-environment']);
        resolve({ status: response.statusCode!, environment, text });
      });
    });
    request.on('timeout', () => request.destroy(new Error('no answer in 30 s')));
    request.on('error', failed);
  });
}
