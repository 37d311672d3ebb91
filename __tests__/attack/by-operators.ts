import { Api, HOST } from '../../scripts/fleet';
import { collections } from '../../src/server/core/collections';
import { RESOURCES } from '../../src/server/supervisor/api';
import type { Answer } from '../support/http';
import type { Attack } from './attacks';
import { bearer, type Stage } from './stage';

/** What is tried by operators who have one permission of the main app, and by links that one of them follows. */

const NAME = 'attacking-operator';
const PASSWORD = 'of-the-attacker-1';

/** What each permission is at least for. */
const READS: Record<string, string> = {
  'pm.app-supervisor.apps': 'apps:list',
  'pm.app-supervisor.environments': 'appEnvironments:list',
  'pm.app-supervisor.activity': 'appEvents:list',
  'pm.app-supervisor.notifications': 'appNotifiers:list',
  'pm.app-supervisor.overview': 'appFleet:summary',
};

type As = (action: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;

/** Tries something as somebody of the main app whose role has one permission. */
export async function withPermission(
  stage: Stage,
  snippet: string,
  work: (as: As) => Promise<string[]>,
): Promise<string[]> {
  const { api } = stage.manager;
  const user = { username: NAME, email: `${NAME}@example.test`, password: PASSWORD };
  await api.post('roles:create', { name: NAME, title: NAME, snippets: [snippet] });
  try {
    await api.post('users:create', { ...user, roles: [{ name: NAME }] });
    const { token } = await Api.signIn(stage.url, user);
    const as: As = (action, body, headers) =>
      stage.ask(`/api/${action}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { ...bearer(token!), ...headers },
        body,
      });
    // Who may do nothing at all is refused everything.
    const { status } = await as(READS[snippet]);
    if (status !== 200) return [`${snippet} does not give ${READS[snippet]}: ${status}`];
    return await work(as);
  } finally {
    const filter = encodeURIComponent(JSON.stringify({ username: NAME }));
    await api.post(`users:destroy?filter=${filter}`);
    await api.post(`roles:destroy?filterByTk=${NAME}`);
  }
}

/** What gives access to an app, to a main app or to the engine. */
const WAYS_IN: Array<[action: string, body: object]> = [
  ['apps:resetAdmin?filterByTk=target', {}],
  ['appEnvironments:resetAdmin?filterByTk=env_a', {}],
  ['appEnvironments:join', { name: 'env_evil' }],
  ['appContainers:create', { name: 'env_evil' }],
];
const SSO = { enabled: true, mapping: 'none', autoSignup: true, signupRole: 'editor' };

export const byOperators: Attack[] = [
  ...['apps', 'environments', 'activity', 'notifications', 'overview'].map(
    (permission): Attack => ({
      finding: 'S17',
      title: `a way into apps with the permission ${permission} alone`,
      run: (stage) =>
        withPermission(stage, `pm.app-supervisor.${permission}`, async (as) => {
          const begun = { name: 'thief', title: 'Thief', environments: ['env_a'] };
          const tries: typeof WAYS_IN = [
            ...WAYS_IN,
            ['apps:update?filterByTk=target', { options: { sso: SSO } }],
            ['apps:create', { ...begun, options: { sso: SSO } }],
            ['apps:adopt', { ...begun, options: { sso: { ...SSO, mapping: 'username' } } }],
          ];
          const found: string[] = [];
          for (const [action, body] of tries) {
            const { status } = await as(action, body);
            if (status !== 403) found.push(`${action} answers ${status}`);
          }
          return found;
        }),
    }),
  ),
  {
    finding: 'S18',
    title: 'the place of main, of a Worker or of this machine, as the domain of an app',
    run: (stage) =>
      withPermission(stage, 'pm.app-supervisor.apps', async (as) => {
        const found: string[] = [];
        const tries: Array<[cname: string, headers?: Record<string, string>]> = [
          ...[HOST, 'localhost', '127.1', '2130706433', '0x7f.1', '0.0.0.0', '[::1]', 'LOCALHOST'].map(
            (cname): [string] => [cname],
          ),
          ['main.example.test', { Host: 'Main.example.test.:80' }],
          ['main.example.test', { 'X-Forwarded-Host': 'main.example.test' }],
        ];
        for (const [cname, headers] of tries) {
          const { status } = await as('apps:update?filterByTk=bystander', { cname }, headers);
          if (status === 200) found.push(`${cname} is accepted`);
        }
        const { json } = await stage.ask('/api/app:getInfo');
        if (json?.data?.name !== 'main') found.push(`main's host leads to ${json?.data?.name}`);
        return found;
      }),
  },
  {
    finding: 'S19',
    title: 'a change by a method that only reads',
    async run(stage) {
      const found: string[] = [];
      for (const [resource, actions] of Object.entries(RESOURCES))
        for (const [action] of Object.entries(actions).filter(([, { reads }]) => !reads))
          for (const method of ['GET', 'HEAD', 'OPTIONS']) {
            const path = `/api/${resource}:${action}?filterByTk=target`;
            const { status } = await stage.ask(path, { method, headers: bearer(stage.tokens.main) });
            // The core itself answers OPTIONS.
            if (status !== 405 && !(method === 'OPTIONS' && status === 204))
              found.push(`${method} ${resource}:${action} answers ${status}`);
          }
      return found;
    },
  },
  {
    finding: 'S20',
    title: 'actions that nobody offers, as root',
    async run(stage) {
      const resources = [...new Set([...collections.map(({ name }) => name), 'appSupervisor', 'appFleet'])];
      const found: string[] = [];
      for (const resource of resources)
        for (const action of ['move', 'add', 'set', 'toggle', 'firstOrCreate', 'updateOrCreate', 'query']) {
          if (RESOURCES[resource]?.[action]) continue;
          const { status } = await stage.as('main', `${resource}:${action}?filterByTk=1`, {});
          if (status !== 404) found.push(`${resource}:${action} answers ${status}`);
        }
      return found;
    },
  },
];
