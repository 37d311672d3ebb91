import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { RESOURCES } from '../../src/server/supervisor/api';
import type { Answer } from '../support/http';
import { ServedMainApp } from '../support/main-app';

/** What a main app answers to root, by the actions that it offers and those that it does not. */

let main: ServedMainApp;
beforeAll(async () => {
  main = await ServedMainApp.begin();
});
afterAll(() => main.end());

const send = (method: string, action: string): Promise<Answer> =>
  main.send(method, `${action}?filterByTk=1`, method === 'POST' ? {} : undefined);

/** Of this plugin in a main app, with their actions. */
const OURS: Record<string, string[]> = {
  ...Object.fromEntries(collections.map(({ name }) => [name, []])),
  ...Object.fromEntries(Object.entries(RESOURCES).map(([name, actions]) => [name, Object.keys(actions)])),
  appSupervisor: ['info'],
  appEntries: ['list'],
};

describe.each(Object.entries(OURS))('%s', (resource, actions) => {
  it('has its own actions, and none of the core', async () => {
    const ofCore = [...main.app.resourceManager.getRegisteredHandlers().keys()].map(String);
    expect(ofCore).toEqual(
      expect.arrayContaining(['list', 'move', 'firstOrCreate', 'updateOrCreate', 'toggle', 'export']),
    );
    const absent = [...ofCore, 'nosuch'].filter((action) => !actions.includes(action));
    for (const action of absent)
      expect([action, (await send('POST', `${resource}:${action}`)).status]).toEqual([action, 404]);
    for (const action of actions) expect((await send('POST', `${resource}:${action}`)).status).not.toBe(404);
  });
});

it('has nothing below its rows, of which the core would make up resources', async () => {
  const ofCore = [...main.app.resourceManager.getRegisteredHandlers().keys()].map(String);
  for (const { name } of collections) {
    const asked = [`GET ${name}/1/nosuch`, `GET ${name}.nosuch:list`, `POST ${name}/1/constructor`];
    for (const each of [...asked, ...ofCore.map((action) => `POST ${name}/1/nosuch:${action}`)]) {
      const [method, path] = each.split(' ');
      expect([each, (await main.send(method, path)).status]).toEqual([each, 404]);
    }
  }
});

it('what changes data is not to be had by a method that only reads', async () => {
  for (const [resource, actions] of Object.entries(RESOURCES))
    for (const [action, { reads }] of Object.entries(actions))
      for (const method of ['GET', 'HEAD', 'OPTIONS']) {
        const { status, headers } = await send(method, `${resource}:${action}`);
        // Nothing manages apps here.
        const expected = reads ? [409, undefined] : [405, 'POST'];
        expect([resource, action, method, status, headers.allow]).toEqual([resource, action, method, ...expected]);
      }
});
it('a filter that is no JSON is refused, where the core answers nothing with 200', async () => {
  for (const resource of ['apps', 'appEvents', 'appOperations'])
    expect(await main.send('GET', `${resource}:list?filter=%7Bbad`)).toMatchObject({
      status: 400,
      json: {
        errors: [{ code: 'INVALID_INPUT', field: 'filter', params: { problem: { code: 'INPUT_FILTER_FORM' } } }],
      },
    });
});
