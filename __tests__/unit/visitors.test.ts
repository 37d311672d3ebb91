import type { ServerResponse } from 'node:http';
import type { Application, AppSupervisor } from '@nocobase/server';
import { describe, expect, it, vi } from 'vitest';
import { AppSupervisorError, describeError, referenceOf } from '../../src/server/errors';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import {
  type Answerer,
  answerForFailed,
  hideInternalErrors,
  isInternal,
  notifyUsersOnly,
  progressFor,
  type Sender,
  Unavailable,
} from '../../src/server/nocobase/visitors';
import { ANSWERS, answer } from '../../src/server/proxy/answers';
import { failed } from '../../src/shared/message';

const refused = new AppSupervisorError('DATABASE_SIGN_IN', {
  server: 'db.internal:5432',
  user: 'crm_owner',
  cause: 'password authentication failed for user "crm_owner"',
});

const REFERENCE = referenceOf('crm', describeError(refused));

describe('invariant 7: of an app that failed', () => {
  const emitted: Array<{ error: Error }> = [];
  const emit = (event: string, told: { error: Error }) => event === 'appError' && emitted.push(told);
  const coreApps = new CoreAppRegistry({ emit } as unknown as AppSupervisor);
  coreApps.titleOf = () => 'CRM & Co';
  coreApps.setError('crm', Object.assign(refused, { cause: new Error('connect ECONNREFUSED 10.0.0.5:5432') }));

  it.each([
    ['what the core answers with', () => coreApps.appErrors.crm],
    ['what the core sends to open tabs', () => emitted[0].error],
  ])('%s says that it is unavailable and not why', (_, told) => {
    const error = told() as Error & { code?: string };
    const text = `"CRM & Co" is unavailable. Reference: ${REFERENCE}`;
    expect([error.message, error.cause, error.code]).toEqual([text, undefined, undefined]);
    expect(JSON.stringify(error)).toBe('{}');
  });

  it('invariant 15: the reference is that of the cause as the Supervisor reads it, and of no other', () => {
    const read = JSON.parse(
      JSON.stringify({ params: describeError(refused).params, code: describeError(refused).code }),
    );
    expect(referenceOf('crm', read)).toBe(REFERENCE);
    expect(REFERENCE).toMatch(/^[2-9A-HJKMNP-Z]{8}$/);
    expect([referenceOf('shop', read), referenceOf('crm', failed('x'))]).not.toContain(REFERENCE);
  });

  it.each([
    ['zh-CN', undefined, `“CRM & Co”不可用。参考编号：${REFERENCE}`],
    ['zh-CN', 'en-US', `"CRM & Co" is unavailable. Reference: ${REFERENCE}`],
    [undefined, 'zh-CN', `“CRM & Co”不可用。参考编号：${REFERENCE}`],
    [undefined, undefined, `"CRM & Co" is unavailable. Reference: ${REFERENCE}`],
  ])('a request with Accept-Language %s and X-Locale %s is answered in that language', (accept, locale, message) => {
    const original = vi.fn();
    const gateway: Answerer = { responseErrorWithCode: original };
    answerForFailed(gateway, (name) => coreApps.appErrors[name]);
    const headers = { ...(accept && { 'accept-language': accept }), ...(locale && { 'x-locale': locale }) };
    const end = vi.fn();
    const res = { req: { headers }, setHeader() {}, end, statusCode: 200 } as unknown as ServerResponse;
    gateway.responseErrorWithCode('error', res, { appName: 'crm' });
    expect(JSON.parse(end.mock.calls[0][0])).toEqual({
      error: { status: 503, message, maintaining: true, code: 'APP_ERROR', reference: REFERENCE },
    });
    expect(original).not.toHaveBeenCalled();
    for (const [code, appName] of [
      ['error', 'shop'],
      ['preparing', 'crm'],
    ])
      gateway.responseErrorWithCode(code, res, { appName });
    expect(original).toHaveBeenCalledTimes(2);
  });

  it('its operators see everything', () => {
    expect(coreApps.reasonOf('crm')).toBe(refused);
    expect(coreApps.reasonOf('shop')).toBeUndefined();
  });

  it('the proxy’s own answers name only the app', () => {
    for (const code of Object.keys(ANSWERS) as Array<keyof typeof ANSWERS>) {
      expect(answer(code, 'crm').message).not.toMatch(/environment env|worker|supervisor|address|%/i);
    }
  });
});

describe('of an app in progress', () => {
  it.each([
    ['load plugin [@nocobase/plugin-workflow], 12/78', 'in progress, 12/78'],
    ['before install plugin [acl], 3/78', 'in progress, 3/78'],
    ['load salaries collection', 'in progress'],
    ['loading table /var/lib/x in data source ledger', 'in progress'],
    ['starting app...', 'in progress'],
    ['', 'in progress'],
  ])('%j becomes %j for visitors', (message, told) => {
    expect(progressFor(message)).toBe(told);
  });

  it('its operators see what the core reports, and the core only what visitors may know', () => {
    const said: string[] = [];
    const told: string[] = [];
    class Core {
      name = 'crm';
      setMaintainingMessage(message: string) {
        told.push(`${this.name}: ${message}`);
      }
    }
    const coreApps = new CoreAppRegistry({ emit: () => true } as unknown as AppSupervisor);
    coreApps.onProgress = (name, message) => said.push(`${name}: ${message}`);
    const app = new Core();
    coreApps.addApp(app as unknown as Application);
    app.setMaintainingMessage('load salaries collection');
    app.setMaintainingMessage('load plugin [acl], 3/78');
    expect(said).toEqual(['crm: load salaries collection', 'crm: load plugin [acl], 3/78']);
    expect(told).toEqual(['crm: in progress', 'crm: in progress, 3/78']);
  });
});

describe('of an app that a command of the core loads again', () => {
  it('a visitor gets nothing before the command has ended, and then what the core said with its start', () => {
    const emit = vi.fn(() => true);
    const coreApps = new CoreAppRegistry({ emit } as unknown as AppSupervisor);
    let maintaining = { status: 'command_running' };
    const app = { name: 'crm', setMaintainingMessage: () => undefined, getMaintaining: () => maintaining };
    coreApps.addApp(app as unknown as Application);
    // As the core does around a command (app-supervisor/index.ts).
    coreApps.statusBeforeCommanding.crm = 'running';
    coreApps.setStatus('crm', 'commanding');
    coreApps.setStatus('crm', 'running', { refresh: true });
    expect(coreApps.appStatus.crm).toBe('commanding');
    maintaining = { status: 'command_end' };
    coreApps.setStatus('crm', 'running');
    expect(coreApps.appStatus.crm).toBe('running');
    const started = { appName: 'crm', status: 'running', options: { refresh: true } };
    expect(emit.mock.calls.at(-1)).toEqual(['appStatusChanged', started]);
    // One that was not served before is started by its command.
    maintaining = { status: 'command_running' };
    coreApps.statusBeforeCommanding.crm = 'initialized';
    coreApps.setStatus('crm', 'commanding');
    coreApps.setStatus('crm', 'running');
    expect(coreApps.appStatus.crm).toBe('running');
  });
});

describe('of an error in a running app', () => {
  const system = Object.assign(new Error('connect ECONNREFUSED 10.0.0.5:5432'), { syscall: 'connect' });
  const named = (name: string, more = {}) => Object.assign(new Error('x'), { name, ...more });

  it.each<[string, unknown, boolean]>([
    ['the system’s', system, true],
    ['a file’s', Object.assign(new Error("ENOENT: open '/app/storage/x'"), { syscall: 'open' }), true],
    ['Sequelize’s', named('SequelizeConnectionRefusedError', { parent: system }), true],
    ['PostgreSQL’s', Object.assign(new Error('relation "users" does not exist'), { severity: 'ERROR' }), true],
    ['MariaDB’s', named('SqlError', { sqlState: '42S02' }), true],
    ['SQLite’s', Object.assign(new Error('unable to open'), { code: 'SQLITE_CANTOPEN' }), true],
    ['one within', Object.assign(new Error('Failed to enable plugin'), { cause: system }), true],
    ['an answer of the app', Object.assign(new Error('Wrong password'), { status: 401 }), false],
    ['a plain error of a plugin', new Error('The record is locked.'), false],
    ['one that is its own cause', Object.assign(named('Error'), {}), false],
    ['nothing', null, false],
    ['a text', 'x', false],
  ])('%s is distinguished from texts for people', (_, error, expected) => {
    expect(isInternal(error)).toBe(expected);
  });

  it('ends the search for a cause in a cycle', () => {
    const ring: { cause?: unknown } = {};
    ring.cause = ring;
    expect(isInternal(ring)).toBe(false);
  });

  it('visitors who are not signed in get no text of it, and the app’s own users the core’s answer', () => {
    const handler = {
      handlers: [] as Array<{ guard: unknown; render: (error: unknown, ctx: unknown) => void }>,
      register(guard: unknown, render: (error: unknown, ctx: unknown) => void) {
        this.handlers.push({ guard, render });
      },
      defaultHandler(error: Error, ctx: { status: number; body: unknown }) {
        ctx.status = 500;
        ctx.body = { errors: [{ message: error.message }] };
      },
    };
    const app = { name: 'crm', pm: { get: () => ({ errorHandler: handler }) } } as never;
    hideInternalErrors(app);
    hideInternalErrors(app);
    expect(handler.handlers).toHaveLength(1);
    const answered = (state: object) => {
      const ctx = { status: 0, body: null as unknown, state };
      handler.handlers[0].render(system, ctx);
      return [ctx.status, ctx.body];
    };
    const message = 'application crm cannot answer that right now';
    expect(answered({})).toEqual([500, { errors: [{ code: 'INTERNAL_ERROR', message }] }]);
    expect(answered({ currentUser: { id: 1 } })).toEqual([500, { errors: [{ message: system.message }] }]);
  });
});

describe('of a failed command', () => {
  it('visitors who are not signed in get only that the app is unavailable', () => {
    const sent: string[] = [];
    const sender: Sender = {
      sendMessageToConnection: ({ tags }, { type, payload }) =>
        void sent.push(`${tags.size > 1 ? 'user' : 'visitor'}: ${type} ${payload?.message}`),
    };
    const failure = new Unavailable('crm', 'CRM', refused);
    notifyUsersOnly(sender, (name) => (name === 'crm' ? failure : undefined));
    const visitor = { app: 'crm', tags: new Set(['app#crm']), headers: { 'accept-language': 'zh-CN' } };
    const user = { app: 'crm', tags: new Set(['app#crm', 'userId#1']) };
    for (const client of [visitor, user]) {
      for (const [type, message] of [
        ['notification', 'Failed to enable plugin: relation "x" does not exist'],
        ['notification', failure.message],
        ['maintaining', 'in progress'],
      ])
        sender.sendMessageToConnection(client, { type, payload: { message } });
      sender.sendMessageToConnection(client, { type: 'authorized' });
    }
    expect(sent).toEqual([
      `visitor: notification “CRM”不可用。参考编号：${REFERENCE}`,
      'visitor: maintaining in progress',
      'visitor: authorized undefined',
      'user: notification Failed to enable plugin: relation "x" does not exist',
      `user: notification "CRM" is unavailable. Reference: ${REFERENCE}`,
      'user: maintaining in progress',
      'user: authorized undefined',
    ]);
  });
});
