import { SeededRandom } from '../support/random';
import { type Spelling, tryInput, tryRubbish, trySmuggling, trySpelling, tryTraversal, tryVisit } from './held';
import { DOMAIN, type Stage, type Who } from './stage';

/** Further inputs, which a seed decides: the same seed makes the same. */
export type Input =
  | { kind: 'spelling'; spelling: Spelling }
  | { kind: 'smuggling'; bytes: string }
  | { kind: 'visit'; to: string }
  | { kind: 'path'; target: string }
  | { kind: 'rubbish'; key: string; field: string | null; value: string }
  | { kind: 'input'; action: string; body: unknown };

const KINDS: Input['kind'][] = ['spelling', 'spelling', 'smuggling', 'visit', 'path', 'rubbish', 'input', 'input'];

const APPS = [
  'target',
  'bystander',
  'main',
  'TARGET',
  'target ',
  'nosuch',
  '__proto__',
  '%74arget',
  'target%00',
  'ta/rget',
];
const PIECES = [
  '/',
  '//',
  '/./',
  '/../',
  '/%2e%2e/',
  '%2f',
  '\\',
  ';',
  '?',
  '#',
  '%',
  '%00',
  '%0d%0a',
  '&',
  '=',
  '@',
  ':',
];
const ACTIONS = ['auth:check', 'auth:check/', 'users:list', 'users:get?filterByTk=1', 'app:getInfo', '%61uth:check'];
const HEADERS = [
  'X-App',
  'X-Hostname',
  'Host',
  'X-Forwarded-Host',
  'X-Forwarded-Prefix',
  'X-Original-URL',
  'X-Rewrite-URL',
  'Cookie',
];
const VALUES: unknown[] = [
  '',
  ' ',
  null,
  0,
  -1,
  1e308,
  true,
  [],
  {},
  '{{$env.APP_KEY}}',
  '__proto__',
  '../..',
  'x'.repeat(5_000),
  '\u0000',
  "';--",
];
const FIELDS = [
  'name',
  'title',
  'environments',
  'options',
  'cname',
  'icon',
  'startMode',
  'initialAdmin',
  'database',
  'uid',
  '__proto__',
  'filter',
];
const INPUTS = [
  'apps:create',
  'apps:adopt',
  'apps:update?filterByTk=nosuch',
  'apps:checkDatabase',
  'apps:start?filterByTk=nosuch',
  'apps:migrate',
  'appOperations:cancel?filterByTk=1',
  'appEnvironments:forget?filterByTk=nosuch',
  'apps:resetAdmin?filterByTk=nosuch',
];
const KEYS: Array<[string, string | null]> = [
  ['records:env_a', 'target'],
  ['statuses:env_a', 'target'],
  ['apps', 'target'],
  ['manifests', '["target","x","y"]'],
  ['lease:env_b', null],
  ['registration:env_b', null],
  ['apps', ':supervisor'],
  ['fleetx', null],
];
const FRAMES = [
  'Content-Length: 0',
  'Content-Length: 6',
  'Content-Length:\t0',
  'content-length: 00',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: \x0bchunked',
  'transfer-encoding: CHUNKED',
  'Transfer-Encoding: gzip, chunked',
  'Connection: close, Content-Length',
  'Expect: 100-continue',
  'Upgrade: h2c',
  'X-A: b\nX-C: d',
];
const BODIES = [
  '',
  '0\r\n\r\n',
  '0\n\n',
  '1;x=y\r\na\r\n0\r\n\r\n',
  '0\r\nX: y\r\n\r\n',
  'ffffffffffffffff\r\n',
  '0;\n\n',
];

/** @returns so many inputs */
export function inputsOf(seed: number, count: number): Input[] {
  const { fraction } = new SeededRandom(seed);
  const whole = (below: number) => Math.floor(fraction() * below);
  const one = <T>(from: readonly T[]): T => from[whole(from.length)];
  const some = <T>(from: readonly T[], most: number): T[] => Array.from({ length: 1 + whole(most) }, () => one(from));
  const value = (depth: number): unknown =>
    depth && fraction() < 0.4
      ? Object.fromEntries(some(FIELDS, 3).map((field) => [field, value(depth - 1)]))
      : one(VALUES);
  const hostile = () =>
    one([DOMAIN, 'target', 'bystander', 'main', 'evil.example', '127.0.0.1', 'a, target', '/api/__app/target/']);
  const address = () =>
    one([
      () => `/api/__app/${one(APPS)}${one(PIECES)}${one(ACTIONS)}`,
      () => `/api${one(PIECES)}__app/${one(APPS)}/${one(ACTIONS)}`,
      () => `/api/${one(ACTIONS)}?__appName=${one(APPS)}&__appName=${one(APPS)}`,
      () => `/${one(['apps', '_app', 'v/apps', 'x/apps'])}/${one(APPS)}/api/${one(ACTIONS)}`,
      () => `/api/__app/${one(APPS)}/${some(PIECES, 4).join('')}/${one(APPS)}/${one(ACTIONS)}`,
    ])();
  const make: Record<Input['kind'], () => Input> = {
    spelling: () => {
      const headers = Object.fromEntries(some(HEADERS, 2).map((name) => [name, hostile()]));
      const who = one<Who>(['target', 'bystander', 'main']);
      return { kind: 'spelling', spelling: { target: sendable(address()), headers, who } };
    },
    smuggling: () => ({
      kind: 'smuggling',
      bytes: `${one(['POST', 'GET', 'PUT'])} /api/__app/trap/outer HTTP/1.${one(['1', '1', '0'])}\r\nHost: x\r\n${some(FRAMES, 3).join('\r\n')}\r\n\r\n${one(BODIES)}GET /api/__app/trap/x HTTP/1.1\r\nX: `,
    }),
    visit: () => ({
      kind: 'visit',
      to: `${some(PIECES, 4).join('')}${one(['evil.example', 'apps/target/', 'apps/bystander/', 'http:evil.example'])}${one(PIECES)}`,
    }),
    path: () => ({
      kind: 'path',
      target: sendable(
        `${one(['/storage/uploads', '/static/plugins/@nocobase/plugin-app-supervisor', '/files/target/~storage', '/dist', '/v'])}${some(PIECES, 8).join('..')}${one(['etc/passwd', 'package.json', '.env'])}`,
      ),
    }),
    rubbish: () => {
      const [key, field] = one(KEYS);
      return {
        kind: 'rubbish',
        key,
        field,
        value: one([JSON.stringify(value(3)), String(one(VALUES)), '{', '\x00\x01', 'x '.repeat(50)]),
      };
    },
    input: () => ({ kind: 'input', action: one(INPUTS), body: value(3) }),
  };
  return Array.from({ length: count }, () => make[one(KINDS)]());
}

/** Without what Node’s client refuses to send. */
const sendable = (target: string) => target.replaceAll(/[^\x21-\x7e]/g, '');

/** @returns what got through */
export async function tryOne(stage: Stage, input: Input): Promise<string[]> {
  switch (input.kind) {
    case 'spelling':
      return trySpelling(stage, input.spelling);
    case 'smuggling':
      return trySmuggling(stage, input.bytes);
    case 'visit':
      return tryVisit(stage, input.to);
    case 'path':
      return tryTraversal(stage, input.target);
    case 'input':
      return tryInput(stage, input.action, input.body);
    case 'rubbish':
      await tryRubbish(stage, input.key, input.field, input.value);
      return [];
  }
}
