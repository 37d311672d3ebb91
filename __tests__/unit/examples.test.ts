import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { say } from '../../src/shared/message';
import { operationOf } from '../support/fixtures';

/** The examples, where an app is not created; where one is: e2e/fleet.test.ts. */

const failed = operationOf([{ environment: 'env_a', of: 'boot', state: 'failed', error: say('NO_CAUSE') }], {
  state: 'failed',
});
const ANSWERS: Record<string, unknown> = {
  'auth:signIn': { token: 'token' },
  'appEnvironments:list': [{ name: 'env_a', available: true, cordoned: false }],
  'apps:create': { operation: failed, initialAdmin: { username: 'ada', email: 'ada@shop.test', password: 'secret' } },
  'appOperations:get': failed,
};

describe('an example that creates an app', () => {
  let server: Server;
  afterEach(() => server.close());

  it.each([
    ['provision.ts', [process.execPath, '--import', 'tsx', 'examples/provision.ts']],
    ['provision.sh', ['bash', 'examples/provision.sh']],
  ])('says why it was not created: %s', async (_, [program, ...args]) => {
    server = createServer(({ url = '' }, response) => {
      const [action] = url.replace('/api/', '').split('?');
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ data: ANSWERS[action] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const run = promisify(execFile)(program, [...args, `http://127.0.0.1:${port}`, 'shop', 'Shop', 'ada@shop.test'], {
      env: { ...process.env, SUPERVISOR_EMAIL: 'root@main.test', SUPERVISOR_PASSWORD: 'secret' },
    });
    const stderr = expect.stringMatching(/App shop was not created \(failed\)\..*NO_CAUSE/);
    await expect(run).rejects.toMatchObject({ code: 1, stderr });
  });
});
