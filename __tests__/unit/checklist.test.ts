import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';
import texts from '../../src/locale/en-US.json';
import { parseConfig } from '../../src/server/config';
import { workerAdminWarning } from '../../src/server/protocol/administrator';
import { fingerprint } from '../../src/server/protocol/secrets';
import { checklistOf } from '../../src/server/supervisor/checklist';
import { CHECKS } from '../../src/server/supervisor/checklist/checks';
import type { ChecklistFacts } from '../../src/server/supervisor/checklist/facts';
import type { AppDefinition } from '../../src/shared/app';
import type { Message } from '../../src/shared/message';
import type { StatusEntry } from '../../src/shared/messages';
import { appOf, entryOf, registrationOf } from '../support/fixtures';
import { OWN_FACTS, supervisorConfig } from '../support/own-facts';

/** Facts about which nothing is to be said, but for these. */
const factsOf = (values: Partial<ChecklistFacts> = {}): ChecklistFacts => ({
  ...OWN_FACTS,
  apps: [],
  environments: [],
  ...values,
});
const withVariables = (variables: Record<string, string>) => factsOf({ config: supervisorConfig(variables) });
const KEYS = { appKey: fingerprint('its own'), aesKey: 'c0ffee' };
const environment = (name: string, values: Parameters<typeof registrationOf>[1] = {}) => ({
  name,
  health: 'online' as const,
  registration: registrationOf(name, { fingerprints: KEYS, hasOwnKey: true, ...values }),
});
const app = (name: string, ...entries: Partial<StatusEntry>[]) => ({
  app: appOf({ name }),
  reports: entries.map((entry) => ({ environment: 'env_a', entry: entryOf({ name, ...entry }) })),
});

/** What is not as it should be. */
const found = (facts: ChecklistFacts) => checklistOf(facts).filter(({ level }) => level !== 'ok');

describe('the security checklist', () => {
  it('has a row for each requirement that is met', () => {
    const rows = checklistOf(factsOf({ apps: [app('crm', {})], environments: [environment('env_a')] }));
    expect(rows).toEqual(CHECKS.map(({ code }) => ({ check: code, level: 'ok', code })));
  });

  it('has what is red first, then what is yellow, each in the order of the checks', () => {
    const finding = (level: 'red' | 'yellow', code: string) => ({ level, text: { code }, remedy: { code: 'R' } });
    const rows = checklistOf(factsOf(), [
      { code: 'SAFE_APP_KEY', find: () => [finding('yellow', 'A'), finding('red', 'B')] },
      { code: 'SAFE_REDIS', find: () => [] },
      { code: 'SAFE_AES_KEY', find: () => [finding('red', 'C')] },
    ]);
    expect(rows.map(({ code }) => code)).toEqual(['B', 'C', 'A', 'SAFE_REDIS']);
    expect(rows[0]).toEqual({ check: 'SAFE_APP_KEY', level: 'red', code: 'B', remedy: { code: 'R' } });
  });

  it('names the apps whose administrators have the well-known password, in any environment', () => {
    const rows = found(
      factsOf({ apps: [app('crm', {}, { adminPassword: 'default' }), app('shop', { adminPassword: 'locked' })] }),
    );
    expect(rows).toMatchObject([{ level: 'red', code: 'APP_PASSWORDS_KNOWN', params: { apps: 'crm' }, apps: ['crm'] }]);
  });

  it('does not call safe what no environment has reported', () => {
    const rows = found(factsOf({ apps: [app('crm'), app('shop', {})] }));
    expect(rows).toMatchObject([{ level: 'yellow', code: 'APP_PASSWORDS_UNSEEN', apps: ['crm'] }]);
  });

  it.each<[string, string | null, string[]]>([
    ['', 'ORIGINS_SHARED', ['crm', 'shop', 'crm_', 'SHOP']],
    ['apps.example.com', 'ORIGINS_MISSING', ['shop', 'crm_']],
  ])('names apps that share the origin of main, with APP_SUPERVISOR_APPS_DOMAIN=%s: %s', (domain, code, names) => {
    const { config } = withVariables({ APP_SUPERVISOR_APPS_DOMAIN: domain });
    const apps = ['crm', 'shop', 'crm_', 'SHOP'].map((name) => app(name, {}));
    expect(found(factsOf({ config, apps }))).toMatchObject([{ level: 'red', code, apps: names }]);
    expect(found(factsOf({ config }))).toEqual([]);
    for (const each of apps) each.app.cname = `${each.app.name}.test`;
    if (domain) expect(found(factsOf({ config, apps }))).toEqual([]);
  });

  it('names apps at hosts of the fleet, and those whose domain nobody has checked', () => {
    const cnames = {
      one: 'main.example.com',
      two: 'worker.test',
      three: '10.0.0.1',
      four: 'apps.example.com',
      five: 'five.test',
    };
    const apps = Object.entries(cnames).map(([name, cname]) => {
      const facts = app(name, {});
      return { ...facts, app: { ...facts.app, cname } };
    });
    const environments = [environment('env_a', { proxyUrl: 'http://worker.test:13000' })];
    const ofFleet = { level: 'red', code: 'DOMAINS_OF_FLEET', apps: ['one', 'two', 'three', 'four'] };
    expect(found(factsOf({ apps, environments }))).toMatchObject([ofFleet]);
    const { config } = withVariables({ APP_SUPERVISOR_PUBLIC_URL: '' });
    expect(found(factsOf({ config, apps, environments }))).toMatchObject([
      { ...ofFleet, apps: ['two', 'three', 'four'] },
      { level: 'red', code: 'DOMAINS_UNKNOWN', apps: Object.keys(cnames) },
    ]);
    expect(found(factsOf({ config, apps: [app('crm', {})] }))).toEqual([]);
  });

  it('names main apps with the well-known password: its own, and those of Workers with their addresses', () => {
    const known = environment('env_a', { warnings: [workerAdminWarning('env_a', 'http://env_a:15000')] });
    const rows = found(factsOf({ ownAdmin: 'default', environments: [known, environment('env_b')] }));
    expect(rows).toMatchObject([
      { code: 'OWN_PASSWORD_KNOWN' },
      {
        code: 'WORKER_PASSWORDS_KNOWN',
        environments: ['env_a'],
        params: { environments: 'env_a', addresses: 'http://env_a:15000' },
      },
    ]);
  });

  it.each(['', 'your-secret-key', 'test-key'])('finds the well-known APP_KEY "%s", here and on Workers', (value) => {
    const fingerprints = { ...KEYS, appKey: fingerprint(value) };
    const rows = found({
      ...withVariables({ APP_KEY: value }),
      environments: [environment('env_a', { fingerprints }), environment('env_b')],
    });
    expect(rows).toMatchObject([
      { code: 'OWN_APP_KEY_KNOWN' },
      { code: 'WORKER_APP_KEYS_KNOWN', environments: ['env_a'] },
    ]);
  });

  it('finds a main app that signs with APP_KEY', () => {
    const [row] = found(withVariables({ UNSAFE_USE_DEFAULT_JWT_SECRET: 'true' }));
    expect(row).toMatchObject({ check: 'SAFE_APP_KEY', code: 'JWT_SECRET_KNOWN' });
  });

  it('finds processes without a key for stored secrets', () => {
    const bare = environment('env_a', { fingerprints: { ...KEYS, aesKey: null }, hasOwnKey: false });
    const rows = found({ ...withVariables({ APP_SUPERVISOR_AES_SECRET_KEY: '' }), environments: [bare] });
    expect(rows.map(({ code }) => code)).toEqual([
      'OWN_AES_KEY_MISSING',
      'WORKER_AES_KEYS_MISSING',
      'WORKERS_SHARE_KEY',
    ]);
  });

  it('finds a signing key that everybody knows, and Workers that have that of the whole fleet', () => {
    const shared = environment('env_a', { hasOwnKey: false });
    const variables = { APP_SUPERVISOR_AES_SECRET_KEY: '', APP_KEY: 'test-jwt-secret' };
    const rows = found({ ...withVariables(variables), environments: [shared, environment('env_b')] });
    expect(rows.filter(({ check }) => check === 'SAFE_SIGNATURES')).toMatchObject([
      { code: 'SIGNING_KEY_KNOWN', level: 'red' },
      { code: 'WORKERS_SHARE_KEY', level: 'red', params: { environments: 'env_a' }, environments: ['env_a'] },
    ]);
  });

  const sentinels = (options: object) => JSON.stringify({ sentinels: [{ host: 's' }], name: 'm', ...options });
  it.each([
    ['redis://redis:6379', 'redis://:x@redis:6379', 'APP_SUPERVISOR_REDIS_URL'],
    ['redis://user@redis:6379', 'redis://redis:6379', 'APP_SUPERVISOR_REDIS_URL, APP_COMMAND_REDIS_URL'],
    [sentinels({ sentinelPassword: 'x' }), sentinels({ password: 'x' }), 'APP_SUPERVISOR_REDIS_URL'],
  ])('finds a Redis without a password: %s and %s', (state, command, variables) => {
    const [row] = found(withVariables({ APP_SUPERVISOR_REDIS_URL: state, APP_COMMAND_REDIS_URL: command }));
    expect(row).toMatchObject({ code: 'REDIS_OPEN', params: { variables } });
  });

  it('in shared memory is about this process, which has no Redis and is its own environment', () => {
    const config = parseConfig(
      { APP_DISCOVERY_ADAPTER: 'local', APP_PROCESS_ADAPTER: 'local', APP_KEY: 'its own' },
      { command: 'start', isMainThread: true },
    );
    const here = environment('local', {
      warnings: [workerAdminWarning('local', '')],
      fingerprints: { appKey: fingerprint(''), aesKey: null },
    });
    const rows = checklistOf(factsOf({ config: config as ChecklistFacts['config'], environments: [here] }));
    expect(rows.map(({ code }) => code)).toEqual([
      'OWN_AES_KEY_MISSING',
      'SAFE_PASSWORDS',
      'SAFE_APP_KEY',
      'SAFE_ORIGINS',
      'SAFE_DOMAINS',
      'SAFE_SSO_MAPPING',
      'SAFE_DATABASE_ROLES',
      'SAFE_WORKER_ROLES',
    ]);
  });

  it('names Workers that have one database role on one server', () => {
    const on = (name: string, user: string, server: string) =>
      environment(name, { databaseRole: { mode: 'made', user, server, sql: '' } });
    const environments = [
      on('env_a', 'worker', 'one:5432'),
      on('env_b', 'worker', 'one:5432'),
      on('env_c', 'other', 'one:5432'),
      on('env_d', 'worker', 'two:5432'),
      environment('env_e', { databaseRole: null }),
      environment('env_f', { databaseRole: null }),
    ];
    expect(found(factsOf({ environments }))).toMatchObject([
      {
        check: 'SAFE_WORKER_ROLES',
        level: 'yellow',
        code: 'WORKERS_SHARE_ROLE',
        params: { environments: 'env_a, env_b', user: 'worker' },
        environments: ['env_a', 'env_b'],
      },
    ]);
  });

  it('names apps that give accounts by name while anybody can sign up to the main app', () => {
    const withSso = (name: string, sso: object) => ({ app: appOf({ name, sso: { ...sso } }), reports: [] });
    const apps = [
      withSso('by_name', { enabled: true, mapping: 'username' }),
      withSso('by_mail', { enabled: true, mapping: 'email' }),
      withSso('by_none', { enabled: true }),
      withSso('off', { enabled: false, mapping: 'username' }),
    ];
    const rowsOf = (hasOpenSignUp: boolean) =>
      found(factsOf({ apps, hasOpenSignUp })).filter(({ check }) => check === 'SAFE_SSO_MAPPING');
    expect(rowsOf(false)).toEqual([]);
    expect(rowsOf(true)).toMatchObject([
      {
        level: 'red',
        code: 'SSO_MAPS_NAMES',
        params: { apps: 'by_name, by_mail' },
        remedy: { code: 'SSO_MAPS_NAMES_REMEDY' },
        apps: ['by_name', 'by_mail'],
      },
    ]);
  });

  describe('about database roles', () => {
    const on = (mode: 'made' | 'denied' | 'shared' | 'none', ...warnings: Message[]) =>
      environment('env_a', { databaseRole: { mode, user: 'u', server: 's', sql: 'SQL' }, warnings });
    const rolesOf = (...facts: Parameters<typeof factsOf>) =>
      found(factsOf(...facts)).filter(({ check }) => check === 'SAFE_DATABASE_ROLES');
    const withRole = (name: string, database: Partial<AppDefinition['database']>) => {
      const { app: made, reports } = app(name, {});
      return { app: { ...made, database: { ...made.database, ...database } }, reports };
    };

    it('names apps that share the role of their environment, which a separate connection does not', () => {
      const apps = [
        app('old', {}),
        withRole('new', { username: 'app_new_1' }),
        withRole('own', { dbConnType: 'new_connection' }),
      ];
      expect(rolesOf({ apps, environments: [on('made')] })).toMatchObject([
        { level: 'red', code: 'DATABASE_ROLES_SHARED', apps: ['old'] },
      ]);
      expect(rolesOf({ apps, environments: [on('none')] })).toEqual([]);
    });

    it.each([
      ['ROLE_SHARED', 'DATABASE_ROLES_UNMADE', 'red'],
      ['DATABASE_ROLE_DENIED', 'DATABASE_ROLES_UNMADE', 'red'],
      ['WORKER_SUPERUSER', 'DATABASE_SUPERUSERS', 'yellow'],
      ['DATABASES_OPEN', 'DATABASES_UNCLOSED', 'yellow'],
    ])('passes on what Workers say of their server: %s', (code, row, level) => {
      expect(rolesOf({ environments: [on('made', { code })] })).toMatchObject([
        { level, code: row, environments: ['env_a'] },
      ]);
    });
  });

  it('has the requirements of docs/hardening.md', () => {
    const page = readFileSync(path.join(ROOT, 'docs/hardening.md'), 'utf8');
    const listed = [...page.matchAll(/^- \[ \] (.*)$/gm)].map(([, text]) => text);
    expect(listed).toEqual(CHECKS.map(({ code }) => texts[`message.${code}`]));
  });
});
