import { describe, expect, it } from 'vitest';
import type { AppModel } from '../../src/server/core/adapters/managed';
import { hidePortals, rolesOf, visibleModels } from '../../src/server/core/viewer';
import { isVisible, type Visibility } from '../../src/shared/visibility';

const everybody: Visibility = { visibleTo: 'everybody', visibleRoles: ['sales'] };
const chosen: Visibility = { visibleTo: 'roles', visibleRoles: ['sales', 'ops'] };
const noRole: Visibility = { visibleTo: 'roles', visibleRoles: [] };
const nobody: Visibility = { visibleTo: 'nobody', visibleRoles: ['sales'] };

describe('who sees an app', () => {
  it.each<[string, Visibility, string[] | null, boolean]>([
    ['everybody: a user without the role', everybody, ['member'], true],
    ['everybody: a user whose roles are not known', everybody, null, true],
    ['everybody: a user without roles', everybody, [], true],
    ['chosen roles: a user with one of them', chosen, ['member', 'ops'], true],
    ['chosen roles: a user with others', chosen, ['member', 'admin'], false],
    ['chosen roles: a role that begins like one of them', chosen, ['sales2', 'sale', 'SALES'], false],
    ['chosen roles: root', chosen, ['root'], true],
    ['chosen roles: a user whose roles are not known', chosen, null, false],
    ['no role chosen: root', noRole, ['root'], false],
    ['nobody: a user with a role that was chosen before', nobody, ['sales'], false],
    ['nobody: root', nobody, ['root'], false],
  ])('%s', (_, app, roles, expected) => {
    expect(isVisible(app, roles)).toBe(expected);
  });
});

const model = (name: string, visibility: Visibility): AppModel => ({
  name,
  title: name,
  hosts: [],
  sort: 0,
  pinned: false,
  environments: [],
  options: {},
  ...visibility,
});
const MODELS = [model('open', everybody), model('sales', chosen), model('secret', nobody)];
const context = (roles?: string[], actionName = 'getPortals') => ({
  action: { resourceName: 'app', actionName },
  state: { currentUser: roles && { roles: roles.map((name) => ({ name, title: name })) } },
  body: undefined as unknown,
});
type Ctx = Parameters<typeof rolesOf>[0];

describe('the roles of the main app', () => {
  const of = (app: string, part: Parameters<typeof rolesOf>[2]) =>
    rolesOf(context(['sales']) as unknown as Ctx, { name: app }, part);

  it('are known where the user is one of the main app', () => {
    expect(of('main', 'supervisor')).toEqual(['sales']);
    expect(of('main', 'local')).toEqual(['sales']);
    expect(rolesOf(context() as unknown as Ctx, { name: 'main' }, 'supervisor')).toBeNull();
  });

  it('are not those that a user has in an app or in a worker’s main app', () => {
    expect(of('open', 'worker')).toBeNull();
    expect(of('open', 'local')).toBeNull();
    expect(of('main', 'worker')).toBeNull();
  });
});

it('an app is seen from inside', () => {
  expect(visibleModels(MODELS, null, 'main').map(({ name }) => name)).toEqual(['open']);
  expect(visibleModels(MODELS, null, 'secret').map(({ name }) => name)).toEqual(['open', 'secret']);
});

describe('app:getPortals', () => {
  const names = ['main', 'open', 'sales', 'secret'];
  const answered = () => ({
    apps: names.map((name) => ({ name, title: name, status: 'running' })),
    portals: names.map((appName) => ({ appName, routePath: '/admin' })),
  });
  const ask = async (roles: string[], actionName?: string) => {
    const used: ((ctx: unknown, next: () => Promise<void>) => Promise<void>)[] = [];
    const app = { name: 'main', resourceManager: { use: (each: never) => used.push(each) } };
    hidePortals(app as never, 'supervisor', () => MODELS);
    const ctx = context(roles, actionName);
    await used[0](ctx, async () => {
      ctx.body = answered();
    });
    return ctx.body as ReturnType<typeof answered>;
  };

  it('names only what the user sees, and says as much of it as before', async () => {
    const { apps, portals } = answered();
    const seen = ['main', 'open', 'sales'];
    expect(await ask(['sales'])).toEqual({
      apps: apps.filter(({ name }) => seen.includes(name)),
      portals: portals.filter(({ appName }) => seen.includes(appName)),
    });
    expect((await ask(['member'])).apps.map(({ name }) => name)).toEqual(['main', 'open']);
  });

  it('leaves other actions alone', async () => {
    expect(await ask(['member'], 'getInfo')).toEqual(answered());
  });
});
