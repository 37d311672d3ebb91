import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Requests } from './history';

const PAUSE = 250;
/** Longer than a freeze of anything but the Supervisor may delay a request. */
const PATIENCE = 10_000;

/** Sends requests to one app through one address until it is ended. @param pause after each answer, in ms */
export function keepAsking(through: string, origin: string, app: string, pause = PAUSE): { end(): Promise<Requests> } {
  const result: Requests = { through, asked: 0, failed: [], slowest: 0 };
  let ending = false;
  const asking = (async () => {
    while (!ending) {
      const from = Date.now();
      const why = await askOnce(`${origin}/api/__app/${app}/app:getInfo`);
      const to = Date.now();
      result.asked++;
      if (why) result.failed.push({ from, to, why });
      else result.slowest = Math.max(result.slowest, to - from);
      await sleep(pause);
    }
  })();
  return {
    async end() {
      ending = true;
      await asking;
      return result;
    },
  };
}

/** @returns the problem, or null */
function askOnce(url: string): Promise<string | null> {
  return new Promise((resolve) => {
    const request = http.get(url, { agent: false, timeout: PATIENCE }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', (error) => resolve(error.message));
      response.on('end', () =>
        resolve(response.statusCode === 200 ? null : `${response.statusCode} ${text.slice(0, 200)}`),
      );
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${PATIENCE} ms`)));
    request.on('error', (error) => resolve(error.message));
  });
}
