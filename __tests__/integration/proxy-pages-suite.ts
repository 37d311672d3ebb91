import type { RequestListener } from 'node:http';
import { afterEach, describe, expect } from 'vitest';
import { ask, deadPort, type Front, type FrontOptions, type Listening, until, worker } from './proxy-harness';
import type { Lane } from './proxy-lanes';

export const proxyPages = ({ front, it, isDoor }: Lane): void => {
  /** Pages of an app, at its own host and below the main app's address, where the app cannot be opened. */

  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends Listening | Front>(one: T): T => {
    opened.push(one);
    return one;
  };
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });

  const PLACES = [
    { place: 'at its own host', host: 'shop.test', page: '/admin/x', home: null },
    { place: 'below the main app’s address', host: 'main.test', page: '/apps/app1/admin/x', home: '/' },
    { place: 'below it, in the modern client', host: 'main.test', page: '/v/apps/app1/admin/x', home: '/' },
  ];
  const PERSON = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'Accept-Language': 'zh-CN,zh' };

  /** A front, and a Worker that answers what it is asked about the app by this. */
  async function door(answers: RequestListener, options: Partial<FrontOptions> = {}) {
    const asked: string[] = [];
    const { port } = keep(
      await worker((req, res) => {
        asked.push(`${req.method} ${req.url} ${req.headers['x-app']}`);
        if (req.url?.endsWith('/__health_check')) answers(req, res);
        else res.end('from the worker');
      }),
    );
    const appNameOf = ({ headers }: { headers: NodeJS.Dict<string | string[]> }) =>
      headers.host === 'shop.test' ? 'app1' : 'main';
    const app = { title: 'Shop', ...options.app };
    return { asked, ...keep(await front({ environments: { a: port }, appNameOf, ...options, app })) };
  }
  const says =
    (code: string, more = {}): RequestListener =>
    (_, res) =>
      res.writeHead(503, { 'Content-Type': 'application/json' }).end(JSON.stringify({ error: { code, ...more } }));
  const runs: RequestListener = (_, res) => res.end('ok');

  describe.each(PLACES)('$place', ({ host, page, home }) => {
    const open = (port: number, { path = page, method = 'GET', headers = {} } = {}) =>
      ask(port, path, { method, headers: { ...PERSON, Host: host, ...headers } });
    const shown = home === null ? 'from the worker' : 'main';
    /** HAProxy sends its visitors where the table says that it runs, without a question before. */
    const isTaken = isDoor && home === null;

    it('an app that runs is shown, once its environment has been asked', async () => {
      const { port, asked } = await door(runs);
      expect(await open(port)).toMatchObject({ status: 200, body: shown });
      if (isTaken) return expect(asked).toEqual([`GET ${page} app1`]);
      expect(asked[0]).toBe('GET /api/__app/app1/__health_check app1');
      expect(asked.length).toBe(home === null ? 2 : 1);
    });

    const NOT_OPEN: Array<[string, RequestListener, Partial<FrontOptions>, number, string, number]> = [
      ['is stopped', runs, { app: { desired: 'stopped' } }, 503, '“Shop”已停止', 30],
      ['is stopped there', says('APP_STOPPED'), {}, 503, '“Shop”已停止', 30],
      ['has failed', says('APP_ERROR', { reference: 'ABCD2345', message: 'x' }), {}, 503, '“Shop”不可用', 30],
      ['starts', says('APP_INITIALIZING'), {}, 503, '“Shop”正在启动', 3],
      ['is not there yet', says('APP_NOT_FOUND'), {}, 503, '“Shop”正在启动', 3],
      ['is nowhere', runs, { app: { environments: [] } }, 503, '“Shop”暂时不可用', 5],
      ['is where nobody answers', (_, res) => res.destroy(), {}, 502, '“Shop”暂时不可用', 5],
    ];
    it.each(isTaken ? NOT_OPEN.filter(([, answers]) => answers === runs) : NOT_OPEN)(
      'an app that %s is a page with its state, and loads itself again',
      async (_, answers, options, ...expected) => {
        const [status, headline, seconds] = expected;
        const { port } = await door(answers, options);
        const reply = await open(port);
        expect(reply.status).toBe(status);
        expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
        expect(reply.headers['cache-control']).toBe('no-store');
        expect(reply.body).toContain(`<h1>${headline}</h1>`);
        expect(reply.body).toContain('<title>Shop</title>');
        expect(reply.body).toContain(`http-equiv="refresh" content="${seconds}"`);
        expect(reply.body.includes('<a href="/">前往主应用</a>')).toBe(home !== null);
        expect(reply.body.includes('参考编号: ABCD2345')).toBe(headline.endsWith('不可用') && seconds === 30);
        expect(await open(port, { method: 'HEAD' })).toMatchObject({ status, body: '' });
      },
    );

    if (!isTaken)
      it('says how many apps start before it', async () => {
        const { port } = await door(says('APP_PREPARING'), { app: { queuedBehind: () => 2 } });
        expect((await open(port)).body).toContain('前面还有 2 个应用正在启动');
      });

    it('no environment that answers slowly, or strangely, keeps the page away', async () => {
      const { port } = await door((_, res) => res.writeHead(500).end('<h1>'));
      expect(await open(port)).toMatchObject({ status: 200, body: shown });
    });

    it('programs, and what a page loads, are not asked about', async () => {
      const { port, asked } = await door(says('APP_STOPPED'));
      for (const headers of [{ Accept: '*/*' }, { Accept: 'application/json, text/plain, */*' }, { Accept: '' }])
        expect((await open(port, { headers })).body).toBe(shown);
      expect((await open(port, { method: 'POST' })).body).toBe(shown);
      expect(asked.filter((url) => url.includes('__health_check'))).toEqual([]);
    });
  });

  it('an address below main’s that no app has is a page, too, and empty ones are main’s', async () => {
    const { port, asked } = await door(runs);
    const open = (path: string) => ask(port, path, { headers: { ...PERSON, Host: 'main.test' } });
    for (const path of ['/apps/nosuch/admin/', '/v/apps/__proto__/', '/apps/nosuch']) {
      const reply = await open(path);
      expect([reply.status, reply.body]).toEqual([404, expect.stringContaining('<h1>此地址没有应用</h1>')]);
      expect(reply.body).toContain('<a href="/">');
      expect(reply.body).not.toMatch(/nosuch|__proto__|refresh/);
    }
    for (const path of ['/', '/admin/', '/apps/', '/v/apps', '/apps-of-mine/x'])
      expect(await open(path)).toMatchObject({ status: 200, body: 'main' });
    expect(asked).toEqual([]);
  });

  it('before the apps are read, none is said to be missing', async () => {
    const { port } = await door(runs, { loaded: false });
    const reply = await ask(port, '/apps/app1/admin/', { headers: { ...PERSON, Host: 'main.test' } });
    expect([reply.status, reply.body]).toEqual([503, expect.stringContaining('正在启动')]);
  });

  it('a visitor who leaves meanwhile leaves nothing behind', async () => {
    let isAsked = false;
    const { port, proxy } = await door(() => {
      isAsked = true;
    });
    const gone = new AbortController();
    const reply = fetch(`http://127.0.0.1:${port}/apps/app1/`, { headers: PERSON, signal: gone.signal });
    await until('asked', () => isAsked);
    gone.abort();
    await expect(reply).rejects.toThrow();
    await until('nothing is on its way', () => proxy.stats()[0].inFlight === 0);
  });

  it('the second environment is asked where the first is gone', async () => {
    const { port } = keep(await worker((_, res) => res.end('ok')));
    const environments = { a: await deadPort(), b: port };
    const { port: at } = await door(runs, { environments });
    expect((await ask(at, '/apps/app1/', { headers: { ...PERSON, Host: 'main.test' } })).body).toBe('main');
  });
};
