import fs from 'node:fs';
import path from 'node:path';
import { ADMIN, APP_ADMIN } from '../../scripts/fleet';
import { challengeOf, ssoCookie } from '../../src/server/proxy/sso';
import { Visitor } from '../support/visitor';
import type { Attack } from './attacks';
import { bearer, type Stage } from './stage';

/** What is tried with a link, or a page, that somebody opens who is signed in to the main app. */

/** Leads to this machine. */
const OWN_HOST = 'linked.localhost';
/** Leads nowhere, as the domain of a customer who has not paid for it. */
const LAPSED = 'lapsed.example.test';
const SECRET = 'of-the-browser-of-the-attacker';

interface Linked {
  /** The app's own address. */
  own: string;
  /** A user of the app, whom the victim may delete there. */
  member: number;
  /** The victim: root of the main app, and of the app. */
  visitor(): Promise<Visitor>;
  isThere(): Promise<boolean>;
}

const prepared = new WeakMap<Stage, Promise<Linked>>();

/** Apps with a host of their own, to which the main app signs in; once for each stage. */
function linkedTo(stage: Stage): Promise<Linked> {
  const known = prepared.get(stage) ?? prepare(stage);
  prepared.set(stage, known);
  return known;
}

async function prepare(stage: Stage): Promise<Linked> {
  const { manager } = stage;
  const app = { environments: ['env_a'], options: { sso: { enabled: true, mapping: 'username' } } };
  await Promise.all([
    manager.create({ name: 'linked', cname: OWN_HOST, ...app }),
    manager.create({ name: 'lapsed', cname: LAPSED, ...app }),
  ]);
  const isChecked = async (name: string, state: string) =>
    manager.untilApp(name, ({ domainCheck }) => domainCheck?.state === state, { what: `has a ${state} domain` });
  await Promise.all([isChecked('linked', 'verified'), isChecked('lapsed', 'failed')]);
  await stage.isReady();
  const own = `http://${OWN_HOST}:${stage.port}`;
  const made = await asOwner(stage, 'users:create', { username: 'member', password: 'of-the-member' });
  const member = made.json.data.id as number;
  return {
    own,
    member,
    async visitor() {
      const visitor = new Visitor(stage.url);
      await visitor.signIn(ADMIN);
      return visitor;
    },
    isThere: async () => Boolean((await asOwner(stage, `users:get?filterByTk=${member}`)).json?.data),
  };
}

async function asOwner(stage: Stage, action: string, body?: object) {
  const headers = { 'X-App': 'linked', 'X-Authenticator': 'basic' };
  const account = { account: APP_ADMIN.email, password: APP_ADMIN.password };
  const { json } = await stage.ask('/api/auth:signIn', { method: 'POST', headers, body: account });
  const method = body ? 'POST' : 'GET';
  return stage.ask(`/api/${action}`, { method, headers: { ...headers, ...bearer(json.data.token) }, body });
}

/** Addresses of an action, as a link may spell them. */
const spellings = (action: string): string[] => [
  `/api/${action}`,
  `/api/__app/linked/${action}`,
  `/admin/../api/${action}`,
  `/admin/%2e%2e/api/${action}`,
  `/v/../api/${action}`,
  `/apps/linked/../../api/${action}`,
  `//api/${action}`,
];

const sessionIn = (addresses: string[]): string =>
  addresses.map((address) => new URL(address).searchParams.get('token') ?? '').find(Boolean) ?? '';

/** Where somebody was led who only wanted a page. */
function strayed(addresses: string[]): string[] {
  const found: string[] = [];
  for (const address of addresses) {
    const { pathname, search } = new URL(address);
    if (/^\/+api\//.test(pathname) && !pathname.includes('appSso:')) found.push(`it leads to ${pathname}`);
    if (/[?&]token=/.test(search)) found.push(`a session is in the address ${pathname}`);
  }
  return found;
}

export const links: Attack[] = [
  {
    finding: 'B32',
    title: 'the way of its creator into an app: for another user, and once somebody has signed in there',
    async run(stage) {
      const { visitor } = await linkedTo(stage);
      const rival = { username: 'rival', password: 'of-the-rival' };
      await stage.manager.api.post('users:create', rival);
      const other = new Visitor(stage.url);
      await other.signIn({ account: rival.username, password: rival.password });
      const found: string[] = [];
      for (const [who, browser, app] of [
        ['another user', other, 'lapsed'],
        ['its creator, after a sign-in', await visitor(), 'target'],
      ] as const) {
        await browser.open(`/api/__app/${app}/appSso:start?first=1&redirect=/apps/${app}/admin/`);
        if (browser.session || sessionIn(browser.trail)) found.push(`${who} is signed in to ${app}`);
      }
      const filter = encodeURIComponent(JSON.stringify({ username: rival.username }));
      await stage.manager.api.post(`users:destroy?filter=${filter}`);
      return found;
    },
  },
  {
    finding: 'B28',
    title: 'a link to a sign-in that goes on to an action of the app, with its visitor’s rights',
    async run(stage) {
      const { own, member, visitor, isThere } = await linkedTo(stage);
      const found: string[] = [];
      for (const target of spellings(`users:destroy?filterByTk=${member}`)) {
        const victim = await visitor();
        const link = `${own}/api/appSso:start?redirect=${encodeURIComponent(target)}`;
        await victim.open(link);
        if (!victim.session && !sessionIn(victim.trail)) found.push(`${target}: nobody was signed in`);
        found.push(...strayed(victim.trail).map((what) => `${target}: ${what}`));
        // The same at the last step, for which the main app vouches.
        const other = await visitor();
        const callback = new URL(await other.openUntil(`${own}/api/appSso:start`, 'appSso:callback'));
        callback.searchParams.set('redirect', target);
        await other.open(callback.href);
        found.push(...strayed(other.trail).map((what) => `${target}, at the callback: ${what}`));
      }
      return (await isThere()) ? found : [...found, 'a user was deleted'];
    },
  },
  {
    finding: 'B28',
    title: 'a link of Visit that goes on to an action of the app',
    async run(stage) {
      const { own, member, visitor, isThere } = await linkedTo(stage);
      const found: string[] = [];
      for (const target of spellings(`users:destroy?filterByTk=${member}`)) {
        const victim = await visitor();
        await victim.open(`${own}/admin/`);
        const to = encodeURIComponent(`${target}&token=${victim.session}`);
        const answer = await victim.ask(`${own}/api/__app/linked/__visit?environment=env_a&to=${to}`);
        found.push(...strayed([new URL(answer.headers.location ?? '/', own).href]));
      }
      return (await isThere()) ? found : [...found, 'a user was deleted'];
    },
  },
  {
    finding: 'B29',
    title: 'a code for a domain that does not lead to this fleet, with the secret of whoever has it now',
    async run(stage) {
      const { visitor } = await linkedTo(stage);
      const found: string[] = [];
      for (const own of [LAPSED, LAPSED.toUpperCase(), `${LAPSED}.`, `${LAPSED}:80`, 'evil.example.test']) {
        const query = new URLSearchParams({ app: 'lapsed', state: 'abcd', challenge: challengeOf(SECRET), own });
        const { headers } = await (await visitor()).ask(`/api/appSso:authorize?${query}`);
        if (headers.location?.includes('code=')) found.push(`${own}: ${new URL(headers.location, stage.url).host}`);
      }
      return found;
    },
  },
  {
    finding: 'B17',
    title: 'a code that a script, a frame or a picture of another app asks for',
    async run(stage) {
      const { visitor } = await linkedTo(stage);
      const victim = await visitor();
      const query = new URLSearchParams({ app: 'linked', state: 'abcd', challenge: challengeOf(SECRET) });
      const found: string[] = [];
      for (const [mode, destination] of [
        ['cors', 'empty'],
        ['same-origin', 'empty'],
        ['navigate', 'iframe'],
        ['navigate', 'object'],
        ['no-cors', 'image'],
      ]) {
        const headers = { 'Sec-Fetch-Mode': mode, 'Sec-Fetch-Dest': destination, 'Sec-Fetch-Site': 'same-origin' };
        for (const address of [`/api/appSso:authorize?${query}`, '/api/__app/linked/appSso:start']) {
          const answer = await victim.ask(address, { headers });
          if (answer.headers.location) found.push(`${address} leads a ${destination} on`);
        }
      }
      return found;
    },
  },
  {
    finding: 'B19',
    title: 'a code that somebody has read in the address bar of another browser',
    async run(stage) {
      const { visitor } = await linkedTo(stage);
      const callback = await (await visitor()).openUntil('/api/__app/linked/appSso:start', 'appSso:callback');
      const thief = new Visitor(stage.url);
      thief.cookies().set(ssoCookie(new URL(callback).searchParams.get('state') ?? '', 'linked'), SECRET);
      await thief.open(callback);
      return thief.session ? ['he is signed in'] : [];
    },
  },
  {
    finding: 'B30',
    title: 'sessions and codes in the logs of main, of Workers and of apps, and who may read those',
    async run(stage) {
      const { own, visitor } = await linkedTo(stage);
      const victim = await visitor();
      const callback = await victim.openUntil(`${own}/admin/`, 'appSso:callback');
      await victim.open(callback);
      const session = victim.session || sessionIn(victim.trail);
      const code = new URL(callback).searchParams.get('code') ?? '';
      if (!session || !code) return ['nobody was signed in'];
      // As a page does whose address has the session, and as files are asked for.
      const Referer = `${own}/admin/?token=${session}`;
      await victim.ask(`${own}/api/auth:check`, { headers: { ...bearer(session), Referer } });
      await victim.ask(`${own}/api/users:list?token=${session}`);
      await victim.ask(`/api/users:list?token=${stage.tokens.main}`, { headers: { Referer } });
      const marker = 'users:list?token=';
      const logs = () => logsOf(stage).map((file) => ({ file, text: fs.readFileSync(file, 'utf8') }));
      const found: string[] = [];
      // What is written later would not be found.
      await stage.ask('/api/app:getInfo');
      if (!logs().some(({ text }) => text.includes(marker))) found.push('the requests are in no log');
      for (const { file, text } of logs()) {
        const name = path.relative(stage.fleet.home, file);
        for (const [what, secret] of Object.entries({ session, code, 'a session of main': stage.tokens.main }))
          if (text.includes(secret)) found.push(`${name} holds ${what}`);
        if (fs.statSync(file).mode & 0o077) found.push(`${name} can be read by everybody`);
      }
      return found;
    },
  },
];

/** Of the processes of the fleet that run NocoBase, and of their apps. */
function logsOf({ fleet }: Stage): string[] {
  const folders = fleet.instances.map(({ storage }) => path.join(storage, 'logs'));
  const files = folders.flatMap((folder) =>
    fs
      .readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.log'))
      .map((file) => path.join(folder, file)),
  );
  return [...files, ...fleet.instances.map(({ logFile }) => logFile)];
}
