import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import type { Application } from '@nocobase/server';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { refuseAsync } from '../../src/server/worker/guards/evaluation-limit';
import { coreApp, guardApps, hostPackage, IN_MEMORY, instanceIn, LIMIT, pluginServer } from '../support/core-app';

/** Guards on what workflows, requests and plugins of an app use, with NocoBase's own classes: attacks beside honest use. */

const { place, guarded, end } = instanceIn();
const ran = path.join(place, 'ran');
const script = path.join(place, 'script.sh');
const secret = path.join(place, 'secret');
const PLUGINS = [
  'workflow',
  'workflow-mailer',
  'notification-email',
  'workflow-javascript',
  'ai',
  'async-task-manager',
];

let crm: Application;
let main: Application;

beforeAll(async () => {
  writeFileSync(script, `touch ${ran}`);
  writeFileSync(secret, 'content of a file of the host');
  const plugins = Object.fromEntries(PLUGINS.map((name) => [name, {}]));
  [crm, main] = ['crm', 'main'].map((name) => coreApp(name, plugins, IN_MEMORY));
  for (const app of [crm, main]) {
    const fields = [
      { name: 'key', type: 'string', primaryKey: true },
      { name: 'options', type: 'json' },
    ];
    app.db.collection({ name: 'customRequests', autoGenId: false, fields } as never);
    await app.createCacheManager();
    await app.db.sync();
  }
  guardApps(guarded, [crm, main]);
});
afterAll(async () => {
  for (const app of [crm, main]) await app.db.close();
  end();
});

/** @returns its port */
async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A processor of a workflow that runs to its end. */
const processorOf = (parsed: object) => ({
  getParsedValue: (value: unknown) => (Array.isArray(value) ? [] : parsed),
  isInstructionSync: () => true,
  execution: { workflow: { options: {} } },
  logger: { info: () => undefined, error: () => undefined, trace: () => undefined },
});

describe('mails of an app', () => {
  let smtp: Server;
  let port: number;
  const received: string[] = [];

  beforeAll(async () => {
    smtp = createTcpServer(speakSmtp);
    port = await listening(smtp);
  });
  afterAll(() => smtp.close());

  /** As much of SMTP as a mail needs. */
  function speakSmtp(socket: Socket): void {
    let mail: string | null = null;
    socket.write('220 test\r\n');
    socket
      .on('error', () => undefined)
      .on('data', (chunk) => {
        const said = String(chunk);
        if (mail !== null) {
          mail += said;
          if (!mail.endsWith('\r\n.\r\n')) return;
          received.push(mail);
          mail = null;
          return void socket.write('250 ok\r\n');
        }
        if (said.startsWith('DATA')) {
          mail = '';
          return void socket.write('354 go\r\n');
        }
        socket.write(said.startsWith('QUIT') ? '221 bye\r\n' : '250 ok\r\n');
      });
  }

  const server = () => ({ host: '127.0.0.1', port, secure: false });
  const basis = () => ({ provider: server(), from: 'a@x.test', to: ['b@x.test'], subject: 'S', contentType: 'html' });
  async function sent(app: Application, config: object) {
    const { default: MailerInstruction } = pluginServer('workflow-mailer', 'MailerInstruction');
    received.length = 0;
    const job = await new MailerInstruction({ app }).run({ config: {} }, null, processorOf(config));
    return { mail: received[0] ?? '', ...job };
  }
  const program = () => ({ sendmail: true, path: '/bin/sh', args: [script], newline: 'unix' });

  it('are sent through a mail server', async () => {
    expect(await sent(crm, { ...basis(), html: '<p>Hello</p>' })).toMatchObject({ status: 1 });
    expect(received[0]).toContain('<p>Hello</p>');
  });

  it('start no program of the host', async () => {
    await sent(crm, { ...basis(), html: 'x', provider: { ...server(), ...program() } });
    expect([existsSync(ran), received.length]).toEqual([false, 1]);
    await sent(main, { ...basis(), html: 'x', provider: program() });
    await vi.waitFor(() => expect(existsSync(ran)).toBe(true));
  });

  it('have no files of the host in them, whatever their fields are', async () => {
    const content = readFileSync(secret, 'utf8');
    for (const stolen of [
      { html: { path: secret } },
      { contentType: 'text', text: { path: secret } },
      { html: 'x', alternatives: [{ contentType: 'text/x', path: secret }] },
      { html: 'x', icalEvent: { path: secret } },
      { raw: { path: secret } },
    ]) {
      const { mail } = await sent(crm, { ...basis(), ...stolen });
      expect([stolen, mail !== '', mail.includes(content)]).toEqual([stolen, true, false]);
    }
    expect((await sent(main, { ...basis(), html: { path: secret } })).mail).toContain(content);
  });

  it('of notifications have none, either', async () => {
    const { MailNotificationChannel } = pluginServer('notification-email', 'mail-server');
    const notify = async (app: Application, html: unknown) => {
      received.length = 0;
      const channel = { options: { ...server(), from: 'a@x.test' } };
      const owner = { name: app.name, db: { getRepository: () => null } };
      await new MailNotificationChannel(owner).send({
        channel,
        message: { to: ['b@x.test'], contentType: 'html', html },
      });
      return received[0];
    };
    MailNotificationChannel.transporterMap.set(`127.0.0.1:${port}:undefined`, transport());
    MailNotificationChannel.configMap.set(`127.0.0.1:${port}:undefined`, { ...server(), from: 'a@x.test' });
    expect(await notify(crm, '<p>Hello</p>')).toContain('<p>Hello</p>');
    expect(await notify(crm, { path: secret })).not.toContain('content of');
    expect(await notify(main, { path: secret })).toContain('content of');
  });

  /** Without the sign-in that the channel always does. */
  const transport = () => pluginServer('notification-email', '../node_modules/nodemailer').createTransport(server());
});

describe('scripts of an app', () => {
  const run = async (app: Application, content: string, timeout?: number) => {
    const { default: ScriptInstruction } = pluginServer('workflow-javascript', 'ScriptInstruction');
    return new ScriptInstruction({ app }).run({ config: { content, timeout } }, null, processorOf({}));
  };

  it('end, though they have no limit of their own, or a longer one', async () => {
    expect(await run(crm, 'return 6 * 7;')).toMatchObject({ status: 1, result: 42 });
    for (const timeout of [undefined, 3_600_000]) {
      expect(await run(crm, 'while (true) {}', timeout)).toMatchObject({ status: -2 });
    }
    expect(await run(crm, 'for (;;) await 0;')).toMatchObject({ status: -2 });
  });

  it('have no modules, which those of the main app have if the operator says so', async () => {
    vi.stubEnv('WORKFLOW_SCRIPT_MODULES', 'path');
    expect(await run(main, 'return typeof require;')).toMatchObject({ result: 'function' });
    expect(await run(crm, 'return typeof require;')).toMatchObject({ result: 'undefined' });
    expect(await run(crm, 'return 1 + 1;')).toMatchObject({ result: 2 });
  });
});

describe('LLM nodes of an app', () => {
  it('read no image from the disk', async () => {
    const { LLMInstruction } = pluginServer('ai', 'workflow/nodes/llm/index');
    const asked: unknown[] = [];
    const config = (url: string) => ({
      llmService: 'x',
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
    });
    const run = async (app: Application, url: string) => {
      const node = new LLMInstruction({ app });
      node.getLLMProvider = async () => ({
        invoke: async ({ messages }: { messages: unknown }) => {
          asked.push(JSON.stringify(messages));
          return { content: 'ok' };
        },
      });
      const processor = {
        ...processorOf(config(url)),
        saveJob: () => ({ id: 1 }),
        findPendingJob: async () => null,
        exit: async () => undefined,
        createBackgroundAbortHandle: () => ({ dispose: () => undefined, throwIfAborted: () => undefined, signal: {} }),
      };
      return node.run({ config: {} }, null, processor);
    };
    const below = path.relative(process.cwd(), secret);
    await expect(run(crm, below)).rejects.toMatchObject({ code: 'IMAGE_ADDRESS' });
    await run(crm, 'https://x.test/a.png');
    await run(main, below);
    const stolen = readFileSync(secret).toString('base64');
    await vi.waitFor(() => expect(asked).toHaveLength(2));
    expect(asked.map((text) => String(text).includes(stolen))).toEqual([false, true]);
  });
});

describe('custom requests of an app', () => {
  const socket = path.join(place, 'socket');
  let hidden: ReturnType<typeof createServer>;
  let open: ReturnType<typeof createServer>;
  let origin: string;

  beforeAll(async () => {
    hidden = createServer((_, res) => res.end('of a socket of the host'));
    await new Promise<void>((resolve) => hidden.listen(socket, resolve));
    open = createServer((req, res) => res.end(`${req.method} ${req.url} ${req.headers['x-own']}`));
    origin = `http://127.0.0.1:${await listening(open)}`;
  });
  afterAll(() => {
    hidden.close();
    open.close();
  });

  /** As NocoBase's action sends a stored request. */
  async function sent(app: Application, stored: object, options?: object) {
    const repository = app.db.getRepository('customRequests');
    await repository.destroy({ filter: { key: 'k' } });
    await repository.create({ values: { key: 'k', options: stored } });
    const { send } = pluginServer('action-custom-request', 'actions/send');
    const action = {
      resourceName: 'customRequests',
      actionName: 'send',
      params: { filterByTk: 'k', values: { options } },
    };
    const ctx: Record<string, unknown> = {
      action,
      app,
      db: app.db,
      state: { currentRole: 'root' },
      headers: {},
      auth: { user: { id: 1 } },
      protocol: 'http',
      host: new URL(origin).host,
      getBearerToken: () => 'token',
      set: () => undefined,
      t: (text: string) => text,
      throw: (status: number, text: string) => {
        throw new Error(`${status} ${text}`);
      },
    };
    app.resourceManager.define({ name: 'customRequests', actions: { send } } as never);
    const [confine] = app.resourceManager
      .getAction('customRequests', 'send')
      .clone()
      .getHandlers()
      .filter(({ name }) => name === 'confineRequest');
    const run = () =>
      send.call({ logger: { info: () => undefined, error: () => undefined } }, ctx, async () => undefined);
    await (confine ? confine(ctx, run) : run());
    return String(ctx.body);
  }

  it('go where their form says', async () => {
    const stored = { method: 'POST', url: `${origin}/a`, headers: [{ name: 'x-own', value: '1' }], timeout: 5000 };
    expect(await sent(crm, stored)).toBe('POST /a 1');
    expect(await sent(crm, { method: 'GET', url: '/b' })).toBe('GET /b undefined');
  });

  it('reach no socket of the host and no address that the form does not show', async () => {
    const stored = { method: 'GET', url: 'http://x.test/' };
    expect(await sent(main, { ...stored, socketPath: socket })).toBe('of a socket of the host');
    expect(await sent(crm, { method: 'GET', url: `${origin}/a`, socketPath: socket })).toBe('GET /a undefined');
    expect(await sent(crm, { method: 'GET', url: '/a', baseURL: 'http://127.0.0.1:1' })).toBe('GET /a undefined');
    const way = { proxy: { host: '127.0.0.1', port: 1 }, adapter: 'fetch', maxRedirects: 99 };
    expect(await sent(crm, { method: 'GET', url: `${origin}/a`, ...way }, { adapter: 'fetch' })).toBe(
      'GET /a undefined',
    );
  });
});

describe('command files of an app’s plugins', () => {
  it('are those of packages, and not of an upload that a row names', async () => {
    // As the core runs; its tests resolve packages in another way.
    vi.stubEnv('VITEST', '');
    const uploaded = path.join(place, 'storage/apps/crm/uploads/dist/server');
    mkdirSync(path.join(uploaded, 'commands'), { recursive: true });
    writeFileSync(path.join(uploaded, 'index.js'), '');
    const mark = path.join(place, 'commanded');
    const code = `module.exports = ({ name }) => require('fs').appendFileSync(${JSON.stringify(mark)}, name);`;
    writeFileSync(path.join(uploaded, 'commands/x.js'), code);
    for (const app of [main, crm]) {
      const values = { name: 'x', packageName: path.join(uploaded, 'index.js'), enabled: true };
      await app.db.getRepository('applicationPlugins').create({ values });
      await app.pm.loadCommands();
    }
    vi.stubEnv('VITEST', 'true');
    expect(readFileSync(mark, 'utf8')).toBe('main');
  });
});

describe('plugins of an app', () => {
  it('that reach other apps are not enabled, and this one stays', async () => {
    for (const plugin of ['collection-fdw', ['kanban', 'multi-app-manager']]) {
      await expect(crm.pm.enable(plugin)).rejects.toMatchObject({ code: 'PLUGIN_REFUSED' });
    }
    await expect(crm.pm.disable('app-supervisor')).rejects.toMatchObject({ code: 'PLUGIN_KEPT' });
    await expect(crm.pm.disable('nothing')).rejects.not.toHaveProperty('code');
  });

  it('that the main app added upgrade no app at its next start, but the main app', async () => {
    const file = path.join(place, 'storage/.upgrading');
    const seen: Array<[string, boolean]> = [];
    for (const app of [crm, main]) {
      writeFileSync(file, 'upgrading');
      vi.spyOn(app, 'isInstalled').mockResolvedValue(true);
      vi.spyOn(app, 'upgrade').mockImplementation(async (options) => {
        seen.push([app.name, options === undefined]);
        throw new Error('asked');
      });
      // NocoBase's tests do not upgrade.
      vi.stubEnv('VITEST', '');
      await expect(app.runCommandThrowError('start', '--quickstart')).rejects.toThrow('asked');
      vi.stubEnv('VITEST', 'true');
      expect(existsSync(file)).toBe(true);
    }
    // The app as it is planned, the main app because of the file.
    expect(seen).toEqual([
      ['crm', false],
      ['main', true],
    ]);
  });
});

describe('background commands of an app', () => {
  it('run in no other app', async () => {
    const { CommandTaskType } = pluginServer('async-task-manager', 'command-task-type');
    const execute = (app: Application, argv: unknown) => {
      const task = Object.assign(new CommandTaskType({ params: { argv } }), { app, record: { params: { argv } } });
      return task.execute();
    };
    for (const argv of [['pm', 'list', '--app=hr'], ['pm', 'list'], null]) {
      await expect(execute(crm, argv)).rejects.toMatchObject({ code: 'TASK_CHANGE' });
    }
  });
});

describe('what an app’s administrator entered to be calculated', () => {
  const evaluators = () => hostPackage('@nocobase/evaluators').evaluators;

  it('ends, and does not stop the process', async () => {
    evaluators().register('endless', () => {
      for (;;);
    });
    // What the first one takes to load is not what is limited here.
    expect(evaluators().get('math.js')('1 + 1', {})).toBe(2);
    guardApps(guarded, [coreApp('other')]);
    expect(() => evaluators().get('endless')('x', {})).toThrow(`took longer than ${LIMIT} ms`);
    expect(evaluators().get('math.js')('1 + {{a}}', { a: 2 })).toBe(3);
    expect(() => evaluators().get('math.js')('1 +', {})).toThrow(/end of expression/);
  });

  it('has no means to go on when it has ended, where no limit reaches it', () => {
    guardApps(guarded, [coreApp('other')]);
    for (const endless of [
      '(async () => { for (;;) await 0; })()',
      '(function f() { return Promise.resolve().then(f); })()',
      '(function f() { return \\u0050romise.resolve().then(f); })()',
      '({{a}}, async function* () { yield* [] })()',
    ]) {
      expect(() => evaluators().get('formula.js')(endless, {}), endless).toThrow(/cannot wait/);
    }
    // Its name could be put together from texts.
    expect(Array).not.toHaveProperty('fromAsync');
    for (const formula of ['{{async}} + {{ data.await }}', "CONCATENATE('a promise', {{Promise}})", 'SUM(1, 2)']) {
      expect(() => refuseAsync(formula), formula).not.toThrow();
    }
  });

  it('as a pattern of a field, too', async () => {
    const validation = (regex: string) => ({
      type: 'string',
      rules: [{ name: 'pattern', args: { regex } }],
    });
    const collection = crm.db.collection({
      name: 'entries',
      fields: [
        { name: 'slow', type: 'string', validation: validation('^(a+)+$') },
        { name: 'code', type: 'string', validation: validation('^[A-Z]{3}$') },
        { name: 'uid', type: 'uid', pattern: '^(a+)+$' },
      ],
    } as never);
    const check = (values: object) => collection.validate({ values, operation: 'update' } as never);
    expect(() => check({ slow: `${'a'.repeat(40)}!` })).toThrow(`took longer than ${LIMIT} ms`);
    expect(() => check({ code: 'abc' })).toThrow(/pattern/);
    expect(() => check({ code: 'ABC', slow: 'aaa' })).not.toThrow();
    const { listener } = collection.getField('uid') as unknown as { listener(row: object): Promise<void> };
    const row = (uid: string) => ({ get: () => uid, set: () => undefined });
    await expect(listener(row('aaa'))).resolves.toBeUndefined();
    await expect(listener(row(`${'a'.repeat(40)}!`))).rejects.toThrow(`took longer than ${LIMIT} ms`);
  });
});

describe('documents that AI employees of an app read', () => {
  it('leave their text in the folder for temporary files, whatever their id is', async () => {
    const { CachedDocumentLoader } = pluginServer('ai', 'document-loader/cached');
    const temporary = path.join(place, 'temporary');
    mkdirSync(temporary);
    vi.stubEnv('TMPDIR', temporary);
    const loader = { load: async () => [{ pageContent: 'what it says' }] };
    const options = { loader, supports: () => true, parsedFileExtname: 'txt' };
    const read = async (app: Application, id: unknown, storageId: unknown = 1) =>
      (await new CachedDocumentLoader({ app }, options).load({ id, storageId, extname: '.txt' })).text;
    for (const [id, storage] of [['../of-crm'], ['a', '/../../of-crm'], [{ toString: () => '../of-crm' }]]) {
      expect(await read(crm, id, storage)).toBe('what it says');
    }
    expect(await read(crm, 7)).toBe('what it says');
    expect(readdirSync(temporary).map((name) => name.split('.')[0])).toEqual(['7@1']);
    await read(main, '../of-main');
    expect(readdirSync(place).filter((name) => name.startsWith('of-'))).toEqual([
      expect.stringMatching(/^of-main@1\.\d+\.parsed\.txt$/),
    ]);
  });
});
