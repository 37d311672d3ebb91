import { EventEmitter } from 'node:events';
import { AuthManager } from '@nocobase/auth';
import type { Application } from '@nocobase/server';
import { expect, it } from 'vitest';
import { mapsOf } from '../../src/server/door/rules/maps';
import { nameTokens } from '../../src/server/nocobase/token-names';
import { routesOf } from '../support/door';

const SECRET = 'x'.repeat(32);

/** As far as the core's own signer is concerned; `load` makes it anew, as the core does. */
class App extends EventEmitter {
  authManager = this.made();
  load(): void {
    this.authManager = this.made();
    this.emit('beforeLoad');
  }
  private made() {
    return new AuthManager({ authKey: 'X-Authenticator', default: 'basic', jwt: { secret: SECRET } } as never);
  }
}

const headOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url').toString());
const named = (kid: string) => {
  const app = new App();
  nameTokens(app as unknown as Application, kid);
  return app;
};

it('an app’s tokens say whose they are, with all that their signer asked for', async () => {
  const { jwt } = named('uid-1').authManager;
  const token = jwt.sign({ userId: 7 }, { jwtid: 'j', expiresIn: '1h' });
  expect(headOf(token)).toEqual({ alg: 'HS256', typ: 'JWT', kid: 'uid-1' });
  // The door compares this part as it stands.
  const { apps } = mapsOf(routesOf([{ uid: 'uid-1', name: 'crm', environments: ['a'] }], { a: 'http://a' }));
  expect(apps.get('crm')?.split('|').at(-1)).toBe(token.split('.')[0]);
  expect(await jwt.decode(token)).toMatchObject({ userId: 7, jti: 'j' });
  expect(headOf(jwt.sign({ userId: 7 }, { expiresIn: '1y' }))).toMatchObject({ kid: 'uid-1' });
});

it('tokens from before, and with another name, are verified as ever', async () => {
  const before = new App().authManager.jwt.sign({ userId: 7 });
  const other = named('uid-2').authManager.jwt.sign({ userId: 8 });
  const { jwt } = named('uid-1').authManager;
  expect([await jwt.decode(before), await jwt.decode(other)]).toMatchObject([{ userId: 7 }, { userId: 8 }]);
});

it('the signer that the core makes when it loads the app again says so, too, and once', () => {
  const app = named('main');
  const [first] = [app.authManager.jwt.sign];
  app.emit('beforeLoad');
  expect(app.authManager.jwt.sign).toBe(first);
  app.load();
  app.load();
  expect(headOf(app.authManager.jwt.sign({ userId: 1 }))).toMatchObject({ kid: 'main' });
});
