import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Fleet, waitFor } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { TestSocket, Visitors, WEB_SOCKET_ID } from '../support/door-process';
import { Manager } from '../support/manager';
import { SimulatedApp } from '../support/simulated-app';

/**
 * What visitors of apps notice, behind HAProxy, when the real Supervisor ends and comes back, and when it is upgraded: nothing. As many of 20
 * restarts and 5 upgrades as these minutes allow; all of them, of a Supervisor that is none, are in faults/door.survival.test.ts.
 */
const MINUTES = 8;
const RESTARTS = 25;
const ECHO = '/api/x?__appName=lasting';
const REAL = '/api/__app/real/app:getInfo';

let fleet: Fleet;
let manager: Manager;
let echo: SimulatedApp;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.create({ name: 'real', environments: ['env_a'] });
  echo = await SimulatedApp.begin(fleet, 'lasting', 'lasting.example.test');
  echo.answer = ({ headers }, res) =>
    void res
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ by: headers['x-app-supervisor-via'] === 'door' ? 'door' : 'Supervisor' }));
  echo.upgrade = ({ headers }, socket) => {
    const accept = createHash('sha1').update(`${headers['sec-websocket-key']}${WEB_SOCKET_ID}`).digest('base64');
    const fields = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`];
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields.join('\r\n')}\r\n\r\n`);
    socket.pipe(socket);
  };
});
afterAll(async () => {
  // The last restart was a moment ago.
  const hasLoaded = () => manager.environments().then(Boolean, () => false);
  await waitFor(hasLoaded, { timeout: 60_000, what: 'The Supervisor has its apps' });
  await echo?.end();
  await manager?.clear('real');
});

it('restarts and upgrades of the Supervisor fail no request and close no WebSocket', async () => {
  const isTaken = () => fetch(`${fleet.url}${ECHO}`).then(async (answer) => (await answer.json()).by === 'door');
  await waitFor(isTaken, { timeout: 60_000, what: 'HAProxy sends visits to the Worker' });
  const sustained = await sustainedBy(`${fleet.url}${REAL}`, () => fleet.supervisor.restart());
  const sockets = await TestSocket.openMany(Number(new URL(fleet.url).port), 'lasting', 1_000);
  const echoed = new Visitors(`${fleet.url}${ECHO}`, (by) => by === 'door', { perSecond: 500 });
  const real = new Visitors(`${fleet.url}${REAL}`, () => true, { perSecond: sustained / 2 });
  const { supervisor } = fleet;
  const began = performance.now();
  const minutes = () => (performance.now() - began) / 60_000;
  let [restarts, upgrades] = [0, 0];
  while (restarts + upgrades < RESTARTS && minutes() < MINUTES) {
    const isUpgrade = (restarts + upgrades) % 5 === 4;
    if (isUpgrade) {
      fleet.pluginChanged(`release ${++upgrades}`);
      await fleet.restart(supervisor);
    } else {
      await (restarts++ % 2 ? supervisor.kill() : supervisor.stop());
      await supervisor.start();
    }
  }
  const took = minutes();
  await Promise.all([echoed.end(), real.end()]);
  const told = [echoed, real].map(
    ({ done, again, slowest }) => `${done} (${again} sent again, the longest ${Math.round(slowest)} ms)`,
  );
  console.log(
    `${restarts} restarts and ${upgrades} upgrades in ${took.toFixed(1)} minutes; requests to an echo: ${told[0]}; to a real app, at ${Math.round(sustained / 2)} a second or fewer: ${told[1]}`,
  );
  expect(restarts).toBeGreaterThan(0);
  expect(upgrades).toBeGreaterThan(0);
  expect(kindsOf(echoed)).toEqual({});
  expect(kindsOf(real)).toEqual({});
  expect(await Promise.all(sockets.map((socket) => socket.echoes()))).not.toContain(false);
  for (const socket of sockets) socket.close();
}, 1_800_000);

/** How often each failure came. */
function kindsOf({ failures }: Visitors): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const failure of failures) counted[failure] = (counted[failure] ?? 0) + 1;
  return counted;
}

/** Requests a second that it answers to eight visitors who ask one after the other, while this is done on the same machine. */
async function sustainedBy(url: string, meanwhile: () => Promise<void>): Promise<number> {
  const visits = new Visitors(url, () => true, { count: 8 });
  const began = performance.now();
  await meanwhile();
  const perSecond = (visits.done * 1_000) / (performance.now() - began);
  await visits.end();
  expect(visits.failures).toEqual([]);
  return perSecond;
}
