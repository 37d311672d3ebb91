import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Fleet } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { Manager, statusIn } from '../support/manager';

/** One of two environments ends under load, as visitors of an app in both meet it. */

let fleet: Fleet;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('busy');
  await manager.create({ name: 'busy', environments: ['env_a', 'env_b'], startMode: 'withMain' });
});

beforeEach(async () => {
  await fleet.heal();
  await manager.untilApp('busy', (app) => statusIn(app, 'env_a') === 'running', { timeout: 120_000, what: 'running' });
});

afterAll(async () => {
  await fleet.heal();
  await fleet.waitForWorkers();
  await manager.clear('busy');
});

const RATE = 200;

it(`fewer than 0.1 % of ${RATE} reading requests a second fail when the environment that serves them dies`, async () => {
  const failures = await visit('systemSettings:get', 60, () => fleet.worker('env_a').kill());
  expect(failures.length, failures.slice(0, 20).join('\n')).toBeLessThan((RATE * 60) / 1000);
});

it(`none of ${RATE} requests a second, which may do more than read, fails when it is asked to end`, async () => {
  // No action that only reads by its name: it is sent a second time only if it has reached nobody.
  expect(await visit('app:getInfo', 20, () => fleet.worker('env_a').stop())).toEqual([]);
});

/**
 * By the clock and not by answers: a visitor does not wait for the others.
 *
 * @param end of the environment that serves the app, half-way
 * @returns what failed, in words
 */
async function visit(action: string, seconds: number, end: () => Promise<void>): Promise<string[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 200 });
  const failures: string[] = [];
  const servedBy = new Map<string, number>();
  const took: number[] = [];
  const ask = async () => {
    const from = performance.now();
    const { status, environment, text } = await get(agent, `${fleet.supervisor.url}/api/__app/busy/${action}`);
    took.push(performance.now() - from);
    if (status === 200) servedBy.set(environment, (servedBy.get(environment) ?? 0) + 1);
    else failures.push(`after ${Math.round(from - begun)} ms: ${status} ${text.slice(0, 150)}`);
  };
  const begun = performance.now();
  const visits: Array<Promise<void>> = [];
  let ended: Promise<void> | undefined;
  while (visits.length < RATE * seconds) {
    const due = Math.min(RATE * seconds, ((performance.now() - begun) * RATE) / 1000);
    while (visits.length < due) visits.push(ask());
    if (!ended && visits.length > (RATE * seconds) / 2) ended = end();
    await sleep(5);
  }
  await Promise.all([...visits, ended]);
  agent.destroy();
  took.sort((a, b) => a - b);
  console.log(
    `${visits.length} requests in ${Math.round((performance.now() - begun) / 1000)} s, ${failures.length} failed; ` +
      `served by ${[...servedBy].map(([name, count]) => `${name} ${count}`).join(', ')}; ` +
      `p50 ${Math.round(took[took.length >> 1])} ms, p99 ${Math.round(took[Math.floor(took.length * 0.99)])} ms`,
  );
  // The one that ends is the one that has served so far, and the other one takes over.
  for (const name of ['env_a', 'env_b']) expect(servedBy.get(name)).toBeGreaterThan(RATE);
  return failures;
}

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
