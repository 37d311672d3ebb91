import fs from 'node:fs';
import path from 'node:path';
import { read, signInAt, upload } from '../support/uploads';
import type { Attack } from './attacks';
import { bearer, INSIDE, type Stage, type Who } from './stage';

/** What is tried by visitors, by users of an app, and by Workers against visitors. */

const KNOWN_PASSWORDS = ['admin123', '', 'admin', 'nocobase', 'password', '123456'];

/** @returns who accepted a password that everybody knows */
async function acceptedPasswords(url: string, names: string[], headers: Record<string, string>): Promise<string[]> {
  const found: string[] = [];
  for (const account of names) {
    for (const password of KNOWN_PASSWORDS) {
      const answer = await fetch(`${url}/api/auth:signIn`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-Authenticator': 'basic', ...headers },
        body: JSON.stringify({ account, password }),
      });
      await answer.arrayBuffer();
      if (answer.ok) found.push(`"${account}" with "${password}" is let in`);
    }
  }
  return found;
}
const ACCOUNTS = ['nocobase', 'admin@nocobase.com', 'admin'];

/** @returns where a token was accepted that is not of there */
async function acceptedElsewhere(stage: Stage, token: string, issuer: Who): Promise<string[]> {
  const places: Array<[string, string, Record<string, string>]> = [
    ['main', stage.url, {}],
    ...stage.fleet.instances.slice(1).map(({ url, name }): [string, string, Record<string, string>] => [name, url, {}]),
    ['target', stage.url, { 'X-App': 'target' }],
    ['bystander', stage.url, { 'X-App': 'bystander' }],
  ];
  const found: string[] = [];
  for (const [place, url, headers] of places.filter(([name]) => name !== issuer)) {
    const answer = await fetch(`${url}/api/auth:check`, { headers: { ...headers, ...bearer(token) } });
    await answer.arrayBuffer();
    if (answer.ok) found.push(`accepted by ${place}`);
  }
  return found;
}

/** The shortest of some attempts, in ms. */
async function quickest(work: () => Promise<unknown>, attempts = 6): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const begin = performance.now();
    await work();
    least = Math.min(least, performance.now() - begin);
  }
  return least;
}

/** Active when a browser opens it. */
const UPLOADS = ['html', 'htm', 'xhtml', 'svg', 'xml', 'js', 'mjs', 'pdf', 'shtml', 'xht', 'svgz', 'php'];
const PAYLOAD = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';

export const tokensElsewhere: Attack[] = [
  {
    finding: 'S1',
    title: 'a session of an app’s administrator, at every other app and main app',
    run: (stage) => acceptedElsewhere(stage, stage.tokens.target, 'target'),
  },
  {
    finding: 'S1',
    title: 'an API key of an app’s administrator, at every other app and main app',
    async run(stage) {
      const key = { name: 'key', role: { name: 'root' }, expiresIn: '1d' };
      const { data } = await stage.apis.target.post('apiKeys:create', key);
      return acceptedElsewhere(stage, data.token, 'target');
    },
  },
  {
    finding: 'S1',
    title: 'the session of a visitor who signs up in an app, at every other app and main app',
    async run(stage) {
      const account = { username: 'stranger', email: 'stranger@example.test', password: 'of-the-stranger' };
      const headers = { 'X-App': 'target', 'X-Authenticator': 'basic' };
      const send = (action: string, body: object) => stage.ask(`/api/${action}`, { method: 'POST', headers, body });
      const signUp = await send('auth:signUp', { ...account, confirm_password: account.password });
      const { json, text } = await send('auth:signIn', { account: account.username, password: account.password });
      if (!json?.data?.token) return [`he could not sign up: ${signUp.text} ${text}`];
      return acceptedElsewhere(stage, json.data.token, 'target');
    },
  },
  {
    finding: 'S2',
    title: 'passwords that everybody knows, at every app',
    async run({ url }) {
      const found = await Promise.all(
        ['target', 'bystander'].map((app) => acceptedPasswords(url, ACCOUNTS, { 'X-App': app })),
      );
      return found.flat();
    },
  },
  {
    finding: 'S2',
    title: 'passwords that everybody knows, at the main app of every Worker',
    async run({ fleet }) {
      const found = await Promise.all(fleet.instances.slice(1).map(({ url }) => acceptedPasswords(url, ACCOUNTS, {})));
      return found.flat();
    },
  },
];

export const visits: Attack[] = [
  {
    finding: 'S8',
    title: 'the operator’s cookies and tokens, read by a Worker that he visits',
    async run(stage) {
      let seen = '';
      stage.trap.answer = (req, res) => {
        seen += req.rawHeaders.join('\n') + req.url;
        res.end('{}');
      };
      const { Cookie, token } = await signInAt(stage.url, 'main');
      const ways = [
        { Cookie },
        { Cookie: `${Cookie}; theirs=1`, ...bearer(token) },
        { Cookie: `theirs=1;${Cookie};${Cookie.replaceAll('; ', ';')}` },
      ];
      for (const headers of ways) await stage.ask('/api/__app/trap/x', { headers });
      await stage.ask(`/api/__app/trap/x?token=${token}`);
      if (!seen.includes('theirs')) return ['the Worker was not visited'];
      const [, ...secrets] = [...Cookie.matchAll(/=([^;]{20,})/g)].map(([, value]) => value);
      return [token, ...secrets].filter((secret) => seen.includes(secret)).map(() => 'a secret of main arrived');
    },
  },
  {
    finding: 'S8',
    title: 'a Worker’s cookies for main and for other apps',
    async run(stage) {
      const { Cookie } = await signInAt(stage.url, 'main');
      const names = [...Cookie.matchAll(/(?:^|; )([^=]+)=/g)].map(([, name]) => name);
      const evil = names.map((name) => `${name}=evil; Path=/`);
      const domain = 'theirs=evil; Path=/; Domain=example.test';
      stage.trap.answer = (_, res) => void res.writeHead(200, { 'Set-Cookie': [...evil, domain] }).end('{}');
      const { headers } = await stage.ask('/api/__app/trap/x');
      const set = headers['set-cookie'] ?? [];
      return [
        ...set.filter((cookie) => names.includes(cookie.split('=')[0])).map((cookie) => `it sets ${cookie}`),
        ...set.filter((cookie) => /domain=/i.test(cookie)).map((cookie) => `for a whole domain: ${cookie}`),
      ];
    },
  },
  {
    finding: 'S9',
    title: 'addresses of 15,700 characters',
    async run(stage) {
      const usual = await quickest(() => stage.ask(`/?${'a'.repeat(15_700)}`));
      const found: string[] = [];
      for (const unit of ['?', '/', '%', '&a', ';', '//', '?#', '..']) {
        const target = `/${unit.repeat(15_700 / unit.length)}`;
        const took = await quickest(() => stage.ask(target));
        if (took > 50 + 8 * usual) found.push(`"${unit}" takes ${took.toFixed()} ms instead of ${usual.toFixed()}`);
      }
      return found;
    },
  },
  {
    finding: 'S15',
    title: 'pages and answers of an app that cannot start',
    async run(stage) {
      const secrets = [...Object.values(INSIDE), 'ENOTFOUND', 'ECONNREFUSED', 'SELECT ', 'node_modules', ':5432'];
      const targets = [
        '/apps/broken/admin/',
        '/api/__app/broken/app:getInfo',
        '/api/__app/broken/x',
        '/v/apps/broken/',
      ];
      const found: string[] = [];
      for (const target of targets) {
        for (const headers of [{ Accept: 'text/html' }, { Accept: 'application/json' }]) {
          const { text } = await stage.ask(target, { headers });
          const said = secrets.filter((secret) => text.includes(secret));
          if (said.length) found.push(`${target} says ${said.join(', ')}`);
        }
      }
      return found;
    },
  },
  {
    finding: 'S14',
    title: 'an upload of another app on the same Worker, by its name',
    async run(stage) {
      const [owner, other] = await Promise.all(['target', 'bystander'].map((app) => signInAt(stage.url, app)));
      const url = await upload(stage.url, 'target', owner, { name: 'plan.txt', content: stage.marks.target });
      const files = fs.readdirSync(path.join(stage.fleet.worker('env_a').storage), { recursive: true }) as string[];
      const file = path.basename(files.find((name) => /plan.*\.txt$/.test(name)) ?? '');
      if (!file) return ['the upload was not found on the disk'];
      const targets = [
        `/storage/uploads/${file}?__appName=bystander`,
        `/storage/uploads/${file}`,
        `/files/bystander/~storage/${file}`,
        `/files/bystander/~storage/..%2f..%2ftarget%2fuploads%2f${file}`,
        `/files/target/~storage/${file}`,
        url,
      ];
      const found: string[] = [];
      for (const target of targets)
        for (const headers of [{ Cookie: other.Cookie }, bearer(other.token), {}]) {
          const { text } = await read(stage.url, target, headers as Record<string, string>);
          if (text.includes(stage.marks.target)) found.push(`${target} gives it`);
        }
      return found;
    },
  },
  {
    finding: 'S16',
    title: 'main in a frame of another site',
    async run(stage) {
      const found: string[] = [];
      for (const target of ['/', '/admin/', '/v/admin/', '/signin']) {
        const { headers } = await stage.ask(target, { headers: { Accept: 'text/html' } });
        if (!/frame-ancestors 'self'/.test(String(headers['content-security-policy']))) found.push(target);
      }
      return found;
    },
  },
  {
    finding: 'S11',
    title: 'files of keys that other users of the machine can read',
    async run({ fleet }) {
      return fleet.instances.flatMap(({ storage }) => {
        const files = fs.readdirSync(storage, { recursive: true, encoding: 'utf8' });
        const keys = files.filter((file) => file.endsWith('.dat')).map((file) => path.join(storage, file));
        return keys.filter((file) => fs.statSync(file).mode & 0o077).map((file) => `${file} can be read`);
      });
    },
  },
];

export const longOnes: Attack[] = [
  {
    finding: 'S16',
    title: 'more header fields than anybody has',
    async run(stage) {
      const headers = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`X-${index}`, 'x']));
      const targets = ['/api/__app/target/app:getInfo', '/api/app:getInfo', '/admin/'];
      const statuses = await Promise.all(targets.map(async (target) => (await stage.ask(target, { headers })).status));
      // HAProxy says that the request is malformed.
      const refused = stage.fleet.door ? [400, 431] : [431];
      return targets.filter((_, index) => !refused.includes(statuses[index])).map((target) => `${target} takes them`);
    },
  },
  {
    finding: 'S13',
    title: 'large bodies to the main app, which hold up everybody',
    async run(stage) {
      const body = { account: 'x'.repeat(6_000_000), password: 'x' };
      const usual = await quickest(() => stage.ask('/api/__app/bystander/app:getInfo'));
      const { status } = await stage.ask('/api/auth:signIn', { method: 'POST', body });
      if (status === 413) return [];
      const all = Promise.all(Array.from({ length: 4 }, () => stage.ask('/api/auth:signIn', { method: 'POST', body })));
      const took = await quickest(() => stage.ask('/api/__app/bystander/app:getInfo'), 1);
      await all;
      return took > 1_000 + 10 * usual ? [`${status}, and an app answers after ${took.toFixed()} ms`] : [];
    },
  },
  {
    finding: 'held',
    title: 'uploads that a browser would run',
    async run(stage) {
      const session = await signInAt(stage.url, 'target');
      const found: string[] = [];
      for (const type of UPLOADS) {
        const url = await upload(stage.url, 'target', session, { name: `x.${type}`, content: PAYLOAD });
        const { status, headers } = await read(stage.url, url, { Cookie: session.Cookie });
        const isActive = /html|svg|xml|javascript/.test(String(headers['content-type']));
        const isInline = !/^attachment/.test(String(headers['content-disposition']));
        const isSandboxed = /sandbox/.test(String(headers['content-security-policy']));
        if (status === 200 && isActive && isInline && !isSandboxed) found.push(`.${type} runs`);
      }
      return found;
    },
  },
];
