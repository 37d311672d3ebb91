import type { HostApp } from '@nocobase/flow-engine';
import { theme } from 'antd';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import chinese from '../../src/locale/zh-CN.json';
import { visitUrl } from '../../src/ui/apps/visit';
import { entryHref } from '../../src/ui/common/entryHref';
import { apiError, fieldText, messageText, problemText } from '../../src/ui/common/errors';
import { asksForFinder, asksForHelp, asksForNextPart } from '../../src/ui/common/keys';
import { allPages } from '../../src/ui/common/pages';
import { appsFilter } from '../../src/ui/common/query';
import { createRefresher, keepPage, keepRows } from '../../src/ui/common/refresher';
import { shortLabels } from '../../src/ui/common/shortLabels';
import { isShownTo, NOTIFICATIONS } from '../../src/ui/common/snippets';
import { contrast, readableColors, readableTheme } from '../../src/ui/common/theme';
import { duration, exactTime, relativeTime } from '../../src/ui/common/time';
import { registerEntryActions } from '../../src/ui/entries/actions';
import { followEntries, unlessRefused } from '../../src/ui/entries/entries';
import { registerSafely } from '../../src/ui/registration';

const filled = (text: string, values: Record<string, unknown> = {}) =>
  text.replace(/\{\{(\w+)\}\}/g, (whole, name) => String(values[name] ?? whole));

describe('times', () => {
  const now = Date.UTC(2026, 0, 2, 12);

  it.each([
    [0, 'now'],
    [-60_000, 'now'],
    [9_000, '9 sec. ago'],
    [60_000, '1 min. ago'],
    [3_599_000, '59 min. ago'],
    [7_200_000, '2 hr. ago'],
    [86_400_000, 'yesterday'],
    [40 * 86_400_000, 'last mo.'],
  ])('%i ms ago is %s', (ago, text) => expect(relativeTime(now - ago, now, 'en-US')).toBe(text));

  it('uses the language of the reader', () => {
    expect(relativeTime(now - 300_000, now, 'zh-CN')).toBe('5分钟前');
    expect(exactTime(now, 'zh-CN')).toMatch(/^2026年1月2日/);
  });

  it.each([
    [420, '0.4 s'],
    [12_400, '12 s'],
    [200_000, '3 min 20 s'],
    [7_500_000, '2 h 5 min'],
  ])('%i ms take %s', (ms, text) => expect(duration(ms)).toBe(text));
});

describe('a key', () => {
  const NONE = { ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, target: { tagName: 'BODY' } };

  it('asks for the finder: Ctrl-K and Command-K, also in a text', () => {
    for (const held of [{ ctrlKey: true }, { metaKey: true }])
      expect(asksForFinder({ ...NONE, key: 'k', ...held })).toBe(true);
    for (const held of [{}, { ctrlKey: true, shiftKey: true }, { ctrlKey: true, altKey: true }])
      expect(asksForFinder({ ...NONE, key: 'k', ...held })).toBe(false);
  });

  it('asks for the help: a question mark, which in a text is a character', () => {
    expect(asksForHelp({ ...NONE, key: '?', shiftKey: true })).toBe(true);
    for (const target of [{ tagName: 'INPUT' }, { tagName: 'TEXTAREA' }, { tagName: 'DIV', isContentEditable: true }])
      expect(asksForHelp({ ...NONE, key: '?', target })).toBe(false);
    expect(asksForHelp({ ...NONE, key: '?', ctrlKey: true })).toBe(false);
  });

  it('leads between the list and the bar: F6 alone', () => {
    expect(asksForNextPart({ ...NONE, key: 'F6' })).toBe(true);
    expect(asksForNextPart({ ...NONE, key: 'F6', ctrlKey: true })).toBe(false);
    expect(asksForNextPart({ ...NONE, key: 'F5' })).toBe(false);
  });
});

describe('live changes', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('several within the wait cause one run', async () => {
    const load = vi.fn(async () => undefined);
    const refresher = createRefresher(load, 150);
    refresher.soon();
    await vi.advanceTimersByTimeAsync(100);
    refresher.soon();
    await vi.advanceTimersByTimeAsync(50);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('a steady stream does not postpone the run', async () => {
    const load = vi.fn(async () => undefined);
    const refresher = createRefresher(load, 150);
    for (let i = 0; i < 10; i++) {
      refresher.soon();
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(load.mock.calls.length).toBeGreaterThanOrEqual(4);
  });

  it('requests during a run cause one more run after it', async () => {
    const finish: (() => void)[] = [];
    const load = vi.fn(() => new Promise<void>((resolve) => finish.push(resolve)));
    const refresher = createRefresher(load, 150);
    void refresher.run();
    void refresher.run();
    void refresher.run();
    expect(load).toHaveBeenCalledTimes(1);
    finish[0]();
    await vi.advanceTimersByTimeAsync(0);
    expect(load).toHaveBeenCalledTimes(2);
    finish[1]();
    await vi.advanceTimersByTimeAsync(0);
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('nothing runs after stop', async () => {
    const load = vi.fn(async () => undefined);
    const refresher = createRefresher(load, 150);
    refresher.soon();
    refresher.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(load).not.toHaveBeenCalled();
  });

  it('keeps the objects of unchanged rows, and the list if none changed', () => {
    const id = ({ name }: { name: string }) => name;
    const before = [
      { name: 'a', status: 1 },
      { name: 'b', status: 1 },
    ];
    const next = [
      { name: 'b', status: 2 },
      { name: 'a', status: 1 },
    ];
    const rows = keepRows(before, next, id);
    expect(rows).toEqual(next);
    expect(rows[1]).toBe(before[0]);
    expect(keepRows(before, structuredClone(before), id)).toBe(before);
    const page = { rows: before, count: 2 };
    expect(keepPage(page, structuredClone(page), id)).toBe(page);
    expect(keepPage(page, { ...structuredClone(page), count: 3 }, id)).toEqual({ rows: before, count: 3 });
  });
});

describe('texts of problems', () => {
  const answer = (status: number, data: object) => apiError({ message: 'Request failed', response: { status, data } });

  it('reads the formats of the plugin, the core and the gateway, and a missing answer', () => {
    const own = answer(409, { errors: [{ code: 'NAME_TAKEN', params: { app: 'x' }, message: 'm', field: 'name' }] });
    expect(own).toMatchObject({ status: 409, code: 'NAME_TAKEN', problems: [{ field: 'name', params: { app: 'x' } }] });
    expect(answer(403, { errors: [{ message: 'No permissions' }] }).problems[0].message).toBe('No permissions');
    expect(answer(503, { error: { code: 'APP_STOPPED', message: 'stopped' } }).code).toBe('APP_STOPPED');
    expect(answer(502, {}).message).toBe('Request failed');
    expect(apiError({ message: 'Network Error' })).toMatchObject({ status: 0, code: 'NO_ANSWER' });
    expect(apiError(own)).toBe(own);
  });

  const texts: Record<string, string> = chinese;
  const inChinese = (text: string, values?: Record<string, unknown>) => filled(texts[text] ?? text, values);

  it('is in the reader’s language if the code is known, with the messages in it', () => {
    const taken = { code: 'NAME_TAKEN', params: { app: 'crm' }, message: 'An app "crm" exists already.' };
    expect(problemText(inChinese, taken)).toBe('应用“crm”已存在，请换一个标识。');
    const problem = { code: 'INPUT_REQUIRED', params: { field: 'title' } };
    const refused = { code: 'INVALID_INPUT', params: { problem }, message: 'title is required' };
    expect(problemText(inChinese, refused)).toBe('输入有误：title 为必填项');
    expect(messageText(inChinese, problem)).toBe('title 为必填项');
    expect(fieldText(inChinese, refused, '名称')).toBe('名称 为必填项');
    expect(fieldText(inChinese, taken, '名称')).toBe('应用“crm”已存在，请换一个标识。');
  });

  it('is the server’s text if the code is unknown, or comes from the core or the proxy', () => {
    expect(problemText(inChinese, { code: 'ECONNRESET', message: 'read ECONNRESET' })).toBe('read ECONNRESET');
    expect(problemText(inChinese, { code: 'NEWER', params: { app: 'crm' }, message: 'Said.' })).toBe('Said.');
    const [core] = answer(403, { errors: [{ message: 'No permissions' }] }).problems;
    expect(problemText(inChinese, core)).toBe('No permissions');
    const [proxy] = answer(400, { error: { code: 'INVALID_INPUT', message: 'no environment' } }).problems;
    expect(problemText(inChinese, proxy)).toBe('no environment');
  });
});

it('filters by selected values only', () => {
  expect(appsFilter({ text: ' ' })).toEqual({});
  expect(appsFilter({ text: ' cr ', environment: 'env_a', status: ['error', 'unknown'] })).toEqual({
    search: 'cr',
    environment: 'env_a',
    status: ['error', 'unknown'],
  });
});

it('finds apps that have all of the selected labels', () => {
  expect(appsFilter({ text: '', label: ['trial', 'customer:acme'] })).toEqual({
    $and: [{ label: 'trial' }, { label: 'customer:acme' }],
  });
});

describe('the rows of all pages', () => {
  const rows = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
  const reader = (answers: Array<{ rows: number[]; count: number }>) => {
    const asked: number[] = [];
    const pageOf = async (page: number) => {
      asked.push(page);
      return answers[asked.length - 1] ?? { rows: [], count: 0 };
    };
    return { asked, pageOf };
  };
  const read = (pageOf: (page: number) => Promise<{ rows: number[]; count: number }>, most = 1_000) =>
    allPages(pageOf, most, String);

  it('are asked for until all are there, or enough', async () => {
    const all = [rows(0, 2), rows(2, 4), rows(4, 5)].map((each) => ({ rows: each, count: 5 }));
    const { asked, pageOf } = reader(all);
    expect(await read(pageOf)).toEqual(rows(0, 5));
    expect(asked).toEqual([1, 2, 3]);
    const some = reader(all);
    expect(await read(some.pageOf, 3)).toEqual(rows(0, 4));
    expect(some.asked).toEqual([1, 2]);
    expect(await read(reader([{ rows: [], count: 0 }]).pageOf)).toEqual([]);
  });

  it('are read again if one went meanwhile, which another would be missing for', async () => {
    const { asked, pageOf } = reader([
      { rows: [0, 1], count: 4 },
      // 0 is gone, and 2 has moved to the first page.
      { rows: [3], count: 3 },
      { rows: [], count: 3 },
      { rows: [1, 2], count: 3 },
      { rows: [3], count: 3 },
    ]);
    expect(await read(pageOf)).toEqual([1, 2, 3]);
    expect(asked).toEqual([1, 2, 3, 1, 2]);
  });

  it('are there once, also if they never stay where they are', async () => {
    const answers = rows(0, 6).map((index) => ({ rows: index % 2 ? [2, 3] : [1, 2], count: 4 }));
    expect(await read(reader(answers).pageOf)).toEqual([1, 2, 3]);
  });
});

it('a page is shown unless its snippet is denied', () => {
  expect(isShownTo(['pm', 'pm.*', 'ui.*'], NOTIFICATIONS)).toBe(true);
  expect(isShownTo(['ui.*', '!pm.*'], NOTIFICATIONS)).toBe(false);
  expect(isShownTo(['pm.*', `!${NOTIFICATIONS}`], NOTIFICATIONS)).toBe(false);
  expect(isShownTo([], NOTIFICATIONS)).toBe(true);
});

it('visits an environment through the proxy, in the current client', () => {
  const host = { apiUrl: (path: string) => `http://x/api/${path}`, appUrl: (name: string) => `/v/apps/${name}/admin/` };
  expect(visitUrl(host, 'a_crm', 'env b')).toBe(
    'http://x/api/__app/a_crm/__visit?environment=env+b&to=%2Fv%2Fapps%2Fa_crm%2Fadmin%2F',
  );
});

describe('registration', () => {
  /** A client that takes itself for `name`, and what the server says. */
  const hostOf = (name: string, info: () => Promise<unknown> = async () => ({ data: { data: { name } } })) => ({
    name,
    apiClient: {
      request: vi.fn(info),
      axios: { interceptors: { request: { use: vi.fn() }, response: { use: vi.fn() } } },
    },
    flowEngine: { registerModelLoaders: vi.fn(), context: { t: (text: string) => text } },
  });
  const register = async (host: ReturnType<typeof hostOf>, parts: object = {}) => {
    const registered = { switcher: vi.fn(), signIn: vi.fn(), settings: vi.fn(), registerIcon: vi.fn(), ...parts };
    await registerSafely(host as unknown as HostApp, 'modern', registered);
    return registered;
  };

  it('in an app covers the switcher and the block, in the main app also the settings', async () => {
    const inApp = hostOf('a_crm');
    const { switcher, signIn, settings } = await register(inApp);
    expect(switcher).toHaveBeenCalledOnce();
    expect(signIn).toHaveBeenCalledOnce();
    expect(inApp.flowEngine.registerModelLoaders.mock.calls.flatMap(([loaders]) => Object.keys(loaders))).toEqual([
      'ApplicationsBlockModel',
      'AppEntryActionModel',
    ]);
    expect(settings).not.toHaveBeenCalled();
    expect((await register(hostOf('main'))).settings).toHaveBeenCalledOnce();
  });

  it('recognizes an app on its own domain, which assumes to be the main app', async () => {
    const { settings } = await register(hostOf('main', async () => ({ data: { data: { name: 'a_crm' } } })));
    expect(settings).not.toHaveBeenCalled();
  });

  it('is that of the main app if the server does not say', async () => {
    const refused = () => Promise.reject(new Error('503'));
    expect((await register(hostOf('main', refused))).settings).toHaveBeenCalledOnce();
    expect((await register({ ...hostOf('main'), apiClient: {} as never })).settings).toHaveBeenCalledOnce();
  });

  it('does not make the client wait for a silent server', async () => {
    vi.useFakeTimers();
    const settings = vi.fn();
    const done = register(
      hostOf('main', () => new Promise(() => undefined)),
      { settings },
    );
    await vi.advanceTimersByTimeAsync(3_000);
    await done;
    vi.useRealTimers();
    expect(settings).toHaveBeenCalledOnce();
  });

  it('never throws into the host, and keeps what works', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const older = () => {
      throw new Error('an older host');
    };
    const host = { ...hostOf('main'), flowEngine: {} as never };
    const { settings } = await register(host, { switcher: older });
    expect(settings).toHaveBeenCalledOnce();
    const { use } = host.apiClient.axios.interceptors.response;
    const followed = use.mock.calls.length;
    use.mockClear();
    await register(host, { switcher: older, settings: older });
    // Nobody is led to pages that are not there.
    expect(use).toHaveBeenCalledTimes(followed - 1);
    expect(said).toHaveBeenCalledTimes(3 + 4);
    said.mockRestore();
  });
});

describe('apps as actions', () => {
  beforeEach(() => void vi.stubGlobal('document', new EventTarget()));
  afterEach(() => vi.unstubAllGlobals());

  const host = (entries: object[]) => ({
    eventBus: new EventTarget(),
    apiClient: { auth: { token: 'x' }, request: vi.fn(async () => ({ data: { data: entries } })) },
    flowEngine: { registerModelLoaders: vi.fn(), context: { t: (text: string) => `t ${text}` } },
    entryActionManager: { register: vi.fn() },
  });

  it('are offered in the app switcher and in action panels, and asked for only then', async () => {
    const till = { name: 'till', title: 'Till', icon: 'data:image/png;base64,', url: '/apps/till/admin/' };
    const app = host([till, { ...till, name: 'main' }]);
    registerEntryActions(app as unknown as HostApp, 'modern', vi.fn());
    const offered = app.entryActionManager.register.mock.calls.map(([, { scope, provider }]) => [scope, provider()]);
    expect(offered.map(([scope]) => scope)).toEqual(['app-switcher', 'action-panel']);
    expect(app.apiClient.request).not.toHaveBeenCalled();
    const [group] = offered[0][1];
    expect(group.label).toBe('t Apps');
    const items = await group.children();
    expect(items.map(({ label }: { label: string }) => label)).toEqual(['Till', 't Main app']);
    // Title, icon and address change, and are not kept.
    expect(items[0].createModelOptions).toEqual({
      use: 'AppEntryActionModel',
      stepParams: { appEntry: { app: { name: 'till' } } },
    });
    const asked = (app.apiClient.request.mock.calls as unknown as [object][])[0]![0];
    expect(asked).toMatchObject({ url: 'appEntries:list', params: { client: 'v2', place: 'action' } });
  });

  it('are none in a client without such panels', () => {
    const { entryActionManager: _, ...classic } = host([]);
    expect(() => registerEntryActions(classic as unknown as HostApp, 'classic', vi.fn())).not.toThrow();
  });
});

describe('the app switcher', () => {
  const page = Object.assign(new EventTarget(), { hidden: false });
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('document', page);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
    page.hidden = false;
  });

  const entry = (name: string) => ({ name, title: name });
  const followed = () => {
    const answers = { next: async (): Promise<unknown> => ({ data: { data: [entry('till')] } }) };
    const eventBus = new EventTarget();
    const request = vi.fn(() => answers.next());
    const changed = vi.fn();
    const auth = { token: 'x' };
    const host = { eventBus, apiClient: { auth, request } } as unknown as HostApp;
    const ask = followEntries(host, { client: 'modern', place: 'switcher' }, changed);
    const tell = () => eventBus.dispatchEvent(new Event('ws:message:app-supervisor:changed'));
    return { answers, auth, request, changed, ask, tell };
  };

  it('that is shown before anybody has signed in loads once somebody has, and asks nothing before', async () => {
    const { auth, request, changed, ask } = followed();
    auth.token = '';
    expect(await ask()).toEqual([]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(request).not.toHaveBeenCalled();
    auth.token = 'x';
    await vi.advanceTimersByTimeAsync(1_000);
    expect(changed).toHaveBeenCalledExactlyOnceWith([entry('till')]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(request).toHaveBeenCalledOnce();
  });

  it('that its user may not save is shown all the same', async () => {
    const refusal = (status: number) => Promise.reject(Object.assign(new Error(`${status}`), { response: { status } }));
    expect(await unlessRefused(refusal(403))).toBeUndefined();
    await expect(unlessRefused(refusal(500))).rejects.toThrow('500');
    expect(await unlessRefused(Promise.resolve('saved'))).toBe('saved');
  });

  it('that cannot be loaded is loaded later, ever more rarely', async () => {
    const { answers, request, changed, ask } = followed();
    const { next } = answers;
    answers.next = () => Promise.reject(new Error('503'));
    expect(await ask()).toEqual([]);
    await vi.advanceTimersByTimeAsync(7_000);
    expect(request).toHaveBeenCalledTimes(4);
    await vi.advanceTimersByTimeAsync(300_000);
    expect(request.mock.calls.length).toBeLessThan(14);
    answers.next = next;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(changed).toHaveBeenCalledExactlyOnceWith([entry('till')]);
  });

  it('loads when it is first shown, and again when something has changed', async () => {
    const { answers, request, changed, ask, tell } = followed();
    tell();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(request).not.toHaveBeenCalled();
    expect(await ask()).toEqual([entry('till')]);
    answers.next = async () => ({ data: { data: [entry('till'), entry('shelf')] } });
    for (let told = 0; told < 5; told += 1) tell();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(request).toHaveBeenCalledTimes(2);
    expect(changed).toHaveBeenLastCalledWith([entry('till'), entry('shelf')]);
    tell();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(changed).toHaveBeenCalledTimes(2);
  });

  it('in a page that is hidden loads nothing, and once when it is seen again', async () => {
    const { request, ask, tell } = followed();
    await ask();
    page.hidden = true;
    for (let told = 0; told < 5; told += 1) tell();
    page.dispatchEvent(new Event('visibilitychange'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(request).toHaveBeenCalledTimes(1);
    page.hidden = false;
    for (let seen = 0; seen < 3; seen += 1) page.dispatchEvent(new Event('visibilitychange'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(request).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['fails', () => Promise.reject(new Error('503'))],
    ['is nonsense', async () => ({ data: { data: 'nonsense' } })],
  ])('stays unchanged if an answer %s', async (_, next) => {
    const { answers, changed, ask, tell } = followed();
    await ask();
    answers.next = next;
    tell();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await ask()).toEqual([entry('till')]);
    expect(changed).toHaveBeenCalledOnce();
  });

  it('waits for a request that is already in progress', async () => {
    const { answers, ask } = followed();
    answers.next = () => new Promise((resolve) => setTimeout(resolve, 50, { data: { data: [entry('till')] } }));
    const asked = Promise.all([ask(), ask()]);
    await vi.advanceTimersByTimeAsync(200);
    expect(await asked).toEqual([[entry('till')], [entry('till')]]);
  });

  it.each([
    ['//till.test/admin/', '14000', '//till.test:14000/admin/'],
    ['//till.test/admin/', '', '//till.test/admin/'],
    ['https://till.test/admin/', '14000', 'https://till.test/admin/'],
    ['/apps/till/admin/', '14000', '/apps/till/admin/'],
  ])('links from %s at port "%s" to %s', (url, port, href) => {
    expect(entryHref(url, port)).toBe(href);
  });
});

describe.each([
  ['light', theme.defaultAlgorithm],
  ['dark', theme.darkAlgorithm],
])('in the %s theme', (_, algorithm) => {
  const token = theme.getDesignToken({ algorithm });

  it.each([
    ['a link', (components: Shown) => components.Button.colorLink],
    ['a dangerous link', (components: Shown) => components.Button.colorError],
  ])('%s is readable, also in a selected row', (__, colorIn) => {
    const color = colorIn(readableTheme(token).components as Shown);
    for (const ground of [token.colorBgContainer, token.controlItemBgActive]) {
      expect(contrast(color, ground)).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('a primary button is readable', () => {
    const { Button } = readableTheme(token).components as Shown;
    expect(contrast(Button.colorPrimary, '#ffffff')).toBeGreaterThanOrEqual(4.5);
  });

  it('a warning in a log is readable', () => {
    expect(contrast(readableColors(token).warning, token.colorBgContainer)).toBeGreaterThanOrEqual(4.5);
  });

  it('a dangerous primary button is readable', () => {
    const { Button } = readableTheme(token).components as Shown;
    expect(contrast(Button.colorError, Button.dangerColor)).toBeGreaterThanOrEqual(4.5);
  });
});

it('labels are shown without what they begin with, unless two would look the same', () => {
  expect(shortLabels(['customer:acme', 'trial', 'a:b:c'])).toEqual(['acme', 'trial', 'b:c']);
  expect(shortLabels(['customer:acme', 'owner:acme', 'tier:gold'])).toEqual(['customer:acme', 'owner:acme', 'gold']);
});

interface Shown {
  Button: Record<'colorLink' | 'colorError' | 'dangerColor' | 'colorPrimary', string>;
}
