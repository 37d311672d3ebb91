import { describe, expect, it } from 'vitest';
import { ANSWERS, type AnswerCode, answer } from '../../src/server/proxy/answers';
import { pageFor } from '../../src/server/proxy/error-page';
import { stateIn } from '../../src/server/proxy/opening';
import { visitorPage } from '../../src/server/proxy/visitor-page';
import { isOnItsWay } from '../../src/server/proxy/waiting';
import type { Status } from '../../src/shared/types';

const CODES = Object.keys(ANSWERS) as AnswerCode[];
const LANGUAGES = ['en', 'zh'] as const;
const PICTURE = `data:image/png;base64,${'A'.repeat(13_900)}`;
const crm = { name: 'crm', title: 'CRM', icon: null as string | null };

function page(code: AnswerCode, { language = 'en' as 'en' | 'zh', app = crm as typeof crm | null } = {}): string {
  const req = { method: 'GET', headers: { accept: 'text/html', 'accept-language': language } } as never;
  const what = answer(code, app?.title, { language, reference: 'ABCD2345' });
  return pageFor(req, '/admin/', '/api', what, app) ?? '';
}
const textOf = (html: string) => html.slice(html.indexOf('<main>')).replace(/<[^>]*>/g, ' ');

describe.each(CODES)('the page of %s', (code) => {
  it('says in each language what happened and what to do, and nothing of the fleet', () => {
    const [en, zh] = LANGUAGES.map((language) => textOf(page(code, { language })));
    expect(en).toMatch(/[a-z]{3}/);
    expect(en).not.toMatch(/[\u4e00-\u9fff]/);
    expect(zh).toMatch(/[\u4e00-\u9fff]{4}/);
    expect(zh.replace(/CRM|ABCD2345/g, '')).not.toMatch(/[A-Za-z]{2}/);
    for (const text of [en, zh]) {
      expect(text).not.toMatch(/APP_|UPSTREAM|HTTP|50\d|environment|worker|supervisor|redis|proxy|env_/i);
    }
  });

  it('has at most 20 kB, with the largest picture and the longest title', () => {
    const app = { name: 'crm', title: '<"客'.repeat(200), icon: PICTURE };
    for (const language of LANGUAGES) {
      expect(Buffer.byteLength(page(code, { language, app }))).toBeLessThanOrEqual(20_000);
    }
  });

  it('needs no JavaScript and no other file', () => {
    expect(page(code)).not.toMatch(/<script|<link(?! rel="icon" href="data:,")|\son\w+=|src=|url\(|@import|https?:/i);
  });

  it('loads itself again as often as programs are told, if that helps', () => {
    const seconds = code === 'APP_STOPPED' || code === 'APP_ERROR' ? 30 : ANSWERS[code][1];
    const refresh = /http-equiv="refresh" content="(\d+)"/.exec(page(code))?.[1];
    expect(refresh).toBe(seconds === null ? undefined : String(seconds));
  });
});

it('names the app, and not what programs are told to do', () => {
  expect(textOf(page('APP_MOVING'))).toContain('&#34;CRM&#34; is being moved');
  expect(textOf(page('APP_MOVING', { language: 'zh' }))).toContain('“CRM”正在迁移');
});

it('tells how many apps start before this one, if there are any', () => {
  const html = (queuedBehind: number, language: 'en' | 'zh' = 'en') => {
    const req = { method: 'GET', headers: { accept: 'text/html', 'accept-language': language } } as never;
    return textOf(pageFor(req, '/admin/', '/api', { ...answer('APP_PREPARING', 'CRM'), queuedBehind }, crm) ?? '');
  };
  expect(html(3)).toContain('Apps that start before it: 3');
  expect(html(3, 'zh')).toContain('前面还有 3 个应用正在启动');
  expect(html(0)).not.toContain('before');
});

it('leads on: to the same address, unless that is what is wrong, and to the main app at its host', () => {
  const links = (code: AnswerCode, main: string | null = null) =>
    [...visitorPage({ code, language: 'en', app: crm, main }).matchAll(/<a href="([^"]*)">([^<]*)/g)].map(
      ([, ...link]) => link,
    );
  expect(links('APP_STOPPED')).toEqual([['', 'Reload']]);
  expect(links('APP_ERROR', '/nb/')).toEqual([
    ['', 'Reload'],
    ['/nb/', 'Go to the main app'],
  ]);
  expect(links('APP_NOT_FOUND')).toEqual([]);
  expect(links('APP_NOT_FOUND', '/')).toEqual([['/', 'Go to the main app']]);
});

it.each<[Status | undefined, boolean]>([
  ['running', false],
  ['dormant', false],
  ['unknown', false],
  [undefined, false],
  ['not_found', true],
  ['stopped', true],
  ['preparing', true],
  ['waiting', true],
])('an app that is moved, and is %s there, is waited for: %s', (status, expected) => {
  const app = (isMoving: boolean) => ({ statuses: { get: () => status }, isMoving: () => isMoving }) as never;
  expect(isOnItsWay(app(true), 'env_a')).toBe(expected);
  expect(isOnItsWay(app(false), 'env_a')).toBe(false);
});

it.each<[string, ReturnType<typeof stateIn>]>([
  ['{"error":{"code":"APP_ERROR","reference":"ABCD2345"}}', { code: 'APP_ERROR', reference: 'ABCD2345' }],
  ['{"error":{"code":"APP_ERROR","reference":"<script>"}}', { code: 'APP_ERROR' }],
  ['{"error":{"code":"COMMAND_ERROR","message":"env_a"}}', { code: 'APP_ERROR' }],
  ['{"error":{"code":"APP_COMMANDING"}}', { code: 'APP_PREPARING' }],
  // The Supervisor knows it.
  ['{"error":{"code":"APP_NOT_FOUND"}}', { code: 'APP_PREPARING' }],
  ['{"error":{"code":"APP_STOPPED"}}', { code: 'APP_STOPPED' }],
  ['{"error":{"code":"ADDRESS_BUSY"}}', { code: 'ADDRESS_BUSY' }],
  ['{"error":{"code":"toString"}}', null],
  ['{"errors":[{"code":"APP_STOPPED"}]}', null],
  ['<h1>Not Found</h1>', null],
  ['null', null],
])('an environment that says %s says of its app: %j', (text, expected) => {
  expect(stateIn(text)).toEqual(expected);
});

it('shows light and dark, and moves only for those who want that', () => {
  expect(page('APP_PREPARING')).toMatch(/color-scheme:light dark.*prefers-color-scheme:dark.*prefers-reduced-motion/s);
});

it('shows the title and the picture of the app; a picture that is too large or NocoBase’s own as a letter', () => {
  const html = (icon: string | null) => page('APP_STOPPED', { app: { ...crm, icon } });
  expect(html(null)).toContain('<title>CRM</title>');
  expect(html(PICTURE)).toContain(`src="${PICTURE}"`);
  for (const icon of [null, 'ShopOutlined', `${PICTURE}${'A'.repeat(200)}`, 'https://x.test/x.png']) {
    expect(html(icon)).not.toContain('<img');
    expect(textOf(html(icon))).toMatch(/^\s+C\s/);
  }
});

it('an app that does not exist is shown as nothing but that', () => {
  const html = page('APP_NOT_FOUND', { app: null });
  expect(html).toContain('There is no app at this address');
  expect(html).not.toContain('class="icon"');
});

it('what people have written is shown as text', () => {
  const app = { ...crm, title: '<img src=x onerror=alert(1)>', icon: `data:image/png;base64,"><script>` };
  const html = page('APP_STOPPED', { app });
  expect(html).not.toMatch(/<script|<img src=x/);
});
