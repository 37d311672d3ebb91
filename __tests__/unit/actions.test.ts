import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Application } from '@nocobase/server';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { registerEntries } from '../../src/server/core/entries';
import { registerPartInfo } from '../../src/server/core/part-info';
import { closeTables, RESOURCES, registerResources } from '../../src/server/supervisor/api';
import { coreApp } from '../support/core-app';
import { type Answer, ask } from '../support/http';

/** What a main app answers to root at its HTTP interface, by the core's own routing. */

let app: Application;
let server: http.Server;
let url: string;

beforeAll(async () => {
  // The core prints each request, and each action that does not exist.
  vi.stubEnv('LOGGER_SILENT', 'true');
  vi.spyOn(console, 'log').mockImplementation(() => undefined);
  app = coreApp('main', {}, undefined, { resourcer: { prefix: '/api' } });
  // As plugins of the core do.
  app.resourceManager.registerActionHandlers({ move: async () => undefined, export: async () => undefined });
  app.acl.define({ role: 'root' });
  const signIn = async (ctx: { state: object }, next: () => Promise<void>) => {
    Object.assign(ctx.state, { currentRole: 'root', currentRoles: ['root'] });
    await next();
  };
  app.resourceManager.use(signIn as never, { tag: 'signIn', before: 'acl' });
  for (const collection of collections) app.db.collection({ ...collection });
  registerPartInfo(app, null, null);
  registerEntries(app, null, null);
  registerResources(app, null, 'dormant');
  closeTables(
    app,
    collections.map(({ name }) => name),
  );
  server = http.createServer(app.callback());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const send = (method: string, action: string): Promise<Answer> =>
  ask(url, `/api/${action}?filterByTk=1`, { method, ...(method === 'POST' && { body: {} }) });

/** Of this plugin in a main app, with their actions. */
const OURS: Record<string, string[]> = {
  ...Object.fromEntries(collections.map(({ name }) => [name, []])),
  ...Object.fromEntries(Object.entries(RESOURCES).map(([name, actions]) => [name, Object.keys(actions)])),
  appSupervisor: ['info'],
  appEntries: ['list'],
};

describe.each(Object.entries(OURS))('%s', (resource, actions) => {
  it('has its own actions, and none of the core', async () => {
    const ofCore = [...app.resourceManager.getRegisteredHandlers().keys()].map(String);
    expect(ofCore).toEqual(
      expect.arrayContaining(['list', 'move', 'firstOrCreate', 'updateOrCreate', 'toggle', 'export']),
    );
    const absent = [...ofCore, 'nosuch'].filter((action) => !actions.includes(action));
    for (const action of absent)
      expect([action, (await send('POST', `${resource}:${action}`)).status]).toEqual([action, 404]);
    for (const action of actions) expect((await send('POST', `${resource}:${action}`)).status).not.toBe(404);
  });
});

it('what changes data is not to be had by a method that only reads', async () => {
  for (const [resource, actions] of Object.entries(RESOURCES))
    for (const [action, [changes]] of Object.entries(actions))
      for (const method of ['GET', 'HEAD', 'OPTIONS']) {
        const { status, headers } = await send(method, `${resource}:${action}`);
        // Nothing manages apps here.
        const expected = changes ? [405, 'POST'] : [409, undefined];
        expect([resource, action, method, status, headers.allow]).toEqual([resource, action, method, ...expected]);
      }
});
it('a filter that is no JSON is refused, where the core answers nothing with 200', async () => {
  for (const resource of ['apps', 'appEvents', 'appOperations'])
    expect(await ask(url, `/api/${resource}:list?filter=%7Bbad`)).toMatchObject({
      status: 400,
      json: {
        errors: [{ code: 'INVALID_INPUT', field: 'filter', params: { problem: { code: 'INPUT_FILTER_FORM' } } }],
      },
    });
});
