import type { Message, Names, Param } from '../../../shared/message';
import { fleetHosts, isNamedHost, labelOf, labelsOf } from '../../../shared/origins';
import { ssoOf } from '../../../shared/sso';
import { WELL_KNOWN_APP_KEYS } from '../../config';
import { hasPassword } from '../../config/redis-address';
import { fingerprint } from '../../protocol/secrets';
import { sharesRole } from '../definitions/database-settings';
import type { ChecklistFacts, EnvironmentFacts } from './facts';

/**
 * The checks of the security checklist. A new one is an entry of `CHECKS`, its codes in `CHECKLIST_TEXTS`, and the texts
 * `message.<CODE>` in `src/locale`; docs/hardening.md lists the requirements.
 */

/** Every code of a row or a remedy, with the names of the params of its text. */
export const CHECKLIST_TEXTS = {
  SAFE_PASSWORDS: '',
  OWN_PASSWORD_KNOWN: '',
  OWN_PASSWORD_REMEDY: '',
  WORKER_PASSWORDS_KNOWN: 'environments addresses',
  WORKER_PASSWORDS_REMEDY: '',
  APP_PASSWORDS_KNOWN: 'apps',
  APP_PASSWORDS_REMEDY: '',
  APP_PASSWORDS_UNSEEN: 'apps',
  APP_PASSWORDS_UNSEEN_REMEDY: '',
  SAFE_APP_KEY: '',
  OWN_APP_KEY_KNOWN: '',
  WORKER_APP_KEYS_KNOWN: 'environments',
  APP_KEY_REMEDY: '',
  JWT_SECRET_KNOWN: '',
  JWT_SECRET_REMEDY: '',
  SAFE_AES_KEY: '',
  OWN_AES_KEY_MISSING: '',
  WORKER_AES_KEYS_MISSING: 'environments',
  AES_KEY_REMEDY: '',
  SAFE_SIGNATURES: '',
  SIGNING_KEY_KNOWN: '',
  SIGNING_KEY_REMEDY: '',
  WORKERS_SHARE_KEY: 'environments',
  WORKERS_SHARE_KEY_REMEDY: '',
  SAFE_REDIS: '',
  REDIS_OPEN: 'variables',
  REDIS_OPEN_REMEDY: '',
  SAFE_ORIGINS: '',
  ORIGINS_SHARED: 'apps',
  ORIGINS_SHARED_REMEDY: '',
  ORIGINS_MISSING: 'apps',
  ORIGINS_MISSING_REMEDY: '',
  SAFE_DOMAINS: '',
  DOMAINS_UNKNOWN: 'apps',
  DOMAINS_UNKNOWN_REMEDY: '',
  DOMAINS_OF_FLEET: 'apps',
  DOMAINS_OF_FLEET_REMEDY: '',
  SAFE_SSO_MAPPING: '',
  SSO_MAPS_NAMES: 'apps',
  SSO_MAPS_NAMES_REMEDY: '',
  SAFE_DATABASE_ROLES: '',
  DATABASE_ROLES_SHARED: 'apps',
  DATABASE_ROLES_SHARED_REMEDY: '',
  DATABASE_ROLES_UNMADE: 'environments',
  DATABASE_SUPERUSERS: 'environments',
  DATABASE_SUPERUSERS_REMEDY: '',
  DATABASES_UNCLOSED: 'environments',
  SAFE_WORKER_ROLES: '',
  WORKERS_SHARE_ROLE: 'environments user',
  WORKERS_SHARE_ROLE_REMEDY: '',
} as const;
export type ChecklistCode = keyof typeof CHECKLIST_TEXTS;

/** Something that does not meet a requirement. */
export interface Finding {
  level: 'red' | 'yellow';
  text: Message;
  remedy: Message;
  apps?: string[];
  environments?: string[];
}

export interface Check {
  /** Its text is the requirement. */
  code: ChecklistCode;
  /** Nothing if the requirement is met; null if it does not apply here. */
  find(facts: ChecklistFacts): Finding[] | null;
}

const named = (names: string[]) => names.join(', ');

/** A finding about the fleet as a whole, if it holds. */
const when = (isSo: boolean, code: ChecklistCode, remedy: ChecklistCode): Finding[] =>
  isSo ? [{ level: 'red', text: { code }, remedy: { code: remedy } }] : [];

/** What a text names besides what the finding is about. */
type Besides<C extends ChecklistCode, K> = Exclude<Names<(typeof CHECKLIST_TEXTS)[C]>, K>;

/** A finding about these apps or environments, which its text names; none if there are none. */
function about<C extends ChecklistCode, K extends 'apps' | 'environments'>(
  kind: K,
  names: string[],
  level: Finding['level'],
  code: C,
  remedy: ChecklistCode | Message,
  ...[more]: [Besides<C, K>] extends [never] ? [] : [more: Record<Besides<C, K>, Param>]
): Finding[] {
  if (!names.length) return [];
  const text = { code, params: { [kind]: named(names), ...more } };
  return [{ level, text, remedy: typeof remedy === 'string' ? { code: remedy } : remedy, [kind]: names }];
}

/** The other processes of the fleet: in shared memory the only environment is this process. */
const workersOf = ({ config, environments }: ChecklistFacts): EnvironmentFacts[] =>
  config.part === 'local' ? [] : environments;

const namesOf = (workers: EnvironmentFacts[]): string[] => workers.map(({ name }) => name);

const passwords: Check = {
  code: 'SAFE_PASSWORDS',
  find(facts) {
    const isKnown = ({ reports }: (typeof facts.apps)[number]) =>
      reports.some(({ entry }) => entry.adminPassword === 'default');
    const known = facts.apps.filter(isKnown).map(({ app }) => app.name);
    const unseen = facts.apps.filter(({ reports }) => !reports.length).map(({ app }) => app.name);
    const workers = workersOf(facts).filter(({ registration }) =>
      registration?.warnings.some(({ code }) => code === 'WORKER_ADMIN_KNOWN'),
    );
    const addresses = named(workers.map(({ registration }) => registration?.url ?? ''));
    return [
      ...when(facts.ownAdmin === 'default', 'OWN_PASSWORD_KNOWN', 'OWN_PASSWORD_REMEDY'),
      ...about('environments', namesOf(workers), 'red', 'WORKER_PASSWORDS_KNOWN', 'WORKER_PASSWORDS_REMEDY', {
        addresses,
      }),
      ...about('apps', known, 'red', 'APP_PASSWORDS_KNOWN', 'APP_PASSWORDS_REMEDY'),
      ...about('apps', unseen, 'yellow', 'APP_PASSWORDS_UNSEEN', 'APP_PASSWORDS_UNSEEN_REMEDY'),
    ];
  },
};

const WELL_KNOWN_FINGERPRINTS = new Set([...WELL_KNOWN_APP_KEYS].map(fingerprint));

const appKey: Check = {
  code: 'SAFE_APP_KEY',
  find(facts) {
    const { config } = facts;
    const workers = workersOf(facts).filter(
      ({ registration }) => registration && WELL_KNOWN_FINGERPRINTS.has(registration.fingerprints.appKey),
    );
    const isSecretKnown = config.warnings.some(({ code }) => code === 'DEFAULT_JWT_SECRET_USED');
    return [
      ...when(WELL_KNOWN_APP_KEYS.has(config.host.appKey), 'OWN_APP_KEY_KNOWN', 'APP_KEY_REMEDY'),
      ...about('environments', namesOf(workers), 'red', 'WORKER_APP_KEYS_KNOWN', 'APP_KEY_REMEDY'),
      ...when(isSecretKnown, 'JWT_SECRET_KNOWN', 'JWT_SECRET_REMEDY'),
    ];
  },
};

const aesKey: Check = {
  code: 'SAFE_AES_KEY',
  find(facts) {
    // A Worker with a key of its own gets secrets sealed with that.
    const isBare = ({ registration }: EnvironmentFacts) =>
      registration?.fingerprints.aesKey === null && !registration.hasOwnKey;
    const bare = namesOf(workersOf(facts).filter(isBare));
    return [
      ...when(facts.config.aesKey === null, 'OWN_AES_KEY_MISSING', 'AES_KEY_REMEDY'),
      ...about('environments', bare, 'red', 'WORKER_AES_KEYS_MISSING', 'AES_KEY_REMEDY'),
    ];
  },
};

const signatures: Check = {
  code: 'SAFE_SIGNATURES',
  find(facts) {
    const { config } = facts;
    if (config.part !== 'supervisor') return null;
    const isKnown = config.aesKey === null && WELL_KNOWN_APP_KEYS.has(config.host.appKey);
    const sharing = workersOf(facts).filter(({ registration }) => registration && !registration.hasOwnKey);
    return [
      ...when(isKnown, 'SIGNING_KEY_KNOWN', 'SIGNING_KEY_REMEDY'),
      ...about('environments', namesOf(sharing), 'red', 'WORKERS_SHARE_KEY', 'WORKERS_SHARE_KEY_REMEDY'),
    ];
  },
};

const redis: Check = {
  code: 'SAFE_REDIS',
  find({ config }) {
    if (config.part !== 'supervisor') return null;
    const urls = { APP_SUPERVISOR_REDIS_URL: config.redis.stateUrl, APP_COMMAND_REDIS_URL: config.redis.commandUrl };
    const open = Object.entries(urls).filter(([, url]) => !hasPassword(url));
    if (!open.length) return [];
    const text = { code: 'REDIS_OPEN', params: { variables: named(open.map(([name]) => name)) } };
    return [{ level: 'red', text, remedy: { code: 'REDIS_OPEN_REMEDY' } }];
  },
};

const origins: Check = {
  code: 'SAFE_ORIGINS',
  find({ config, apps }) {
    const names = apps.map(({ app }) => app.name);
    const labels = labelsOf(names);
    const hasOwn = (name: string) => labels.get(labelOf(name) ?? '') === name;
    const without = apps.filter(({ app }) => !app.cname && !hasOwn(app.name)).map(({ app }) => app.name);
    return config.appsDomain === null
      ? about('apps', names, 'red', 'ORIGINS_SHARED', 'ORIGINS_SHARED_REMEDY')
      : about('apps', without, 'red', 'ORIGINS_MISSING', 'ORIGINS_MISSING_REMEDY');
  },
};

const domains: Check = {
  code: 'SAFE_DOMAINS',
  find({ config, apps, environments }) {
    const own = apps.flatMap(({ app }) => (app.cname ? [{ name: app.name, cname: app.cname }] : []));
    const workers = environments.map(
      ({ name, registration }) => [name, [registration?.url ?? '', registration?.proxyUrl ?? '']] as const,
    );
    const fleet = fleetHosts(config, workers);
    const unknown = config.publicUrl === null ? own : [];
    const taken = own.filter(({ cname }) => !isNamedHost(cname) || fleet.has(cname));
    const appsOf = (some: typeof own) => some.map(({ name }) => name);
    return [
      ...about('apps', appsOf(taken), 'red', 'DOMAINS_OF_FLEET', 'DOMAINS_OF_FLEET_REMEDY'),
      ...about('apps', appsOf(unknown), 'red', 'DOMAINS_UNKNOWN', 'DOMAINS_UNKNOWN_REMEDY'),
    ];
  },
};

const ssoMapping: Check = {
  code: 'SAFE_SSO_MAPPING',
  find({ apps, hasOpenSignUp }) {
    const mapsNames = ({ app }: (typeof apps)[number]) => {
      const { enabled, mapping } = ssoOf(app.sso);
      return enabled && mapping !== 'none';
    };
    const names = hasOpenSignUp ? apps.filter(mapsNames).map(({ app }) => app.name) : [];
    return about('apps', names, 'red', 'SSO_MAPS_NAMES', 'SSO_MAPS_NAMES_REMEDY');
  },
};

/** What Workers say about their database server, by code. */
function told({ environments }: ChecklistFacts, ...codes: string[]) {
  const found = environments.flatMap(({ name, registration }) => {
    const warning = registration?.warnings.find(({ code }) => codes.includes(code));
    return warning ? [{ name, warning }] : [];
  });
  return { names: found.map(({ name }) => name), first: found[0]?.warning };
}

const databaseRoles: Check = {
  code: 'SAFE_DATABASE_ROLES',
  find(facts) {
    const hasRoles = facts.environments.some(
      ({ registration }) => (registration?.databaseRole?.mode ?? 'none') !== 'none',
    );
    const sharing = hasRoles ? facts.apps.filter(({ app }) => sharesRole(app)).map(({ app }) => app.name) : [];
    const unmade = told(facts, 'ROLE_SHARED', 'DATABASE_ROLE_DENIED');
    const superusers = told(facts, 'WORKER_SUPERUSER');
    const unclosed = told(facts, 'DATABASES_OPEN');
    return [
      ...about('apps', sharing, 'red', 'DATABASE_ROLES_SHARED', 'DATABASE_ROLES_SHARED_REMEDY'),
      ...about('environments', unmade.names, 'red', 'DATABASE_ROLES_UNMADE', unmade.first),
      ...about('environments', superusers.names, 'yellow', 'DATABASE_SUPERUSERS', 'DATABASE_SUPERUSERS_REMEDY'),
      ...about('environments', unclosed.names, 'yellow', 'DATABASES_UNCLOSED', unclosed.first),
    ];
  },
};

const workerRoles: Check = {
  code: 'SAFE_WORKER_ROLES',
  find(facts) {
    const users = new Map<string, { user: string; names: string[] }>();
    for (const { name, registration } of workersOf(facts)) {
      const { user, server } = registration?.databaseRole ?? {};
      if (!user) continue;
      const same = users.get(`${user} ${server}`) ?? { user, names: [] };
      users.set(`${user} ${server}`, { user, names: [...same.names, name] });
    }
    const shared = [...users.values()].filter(({ names }) => names.length > 1);
    return shared.flatMap(({ user, names }) =>
      about('environments', names, 'yellow', 'WORKERS_SHARE_ROLE', 'WORKERS_SHARE_ROLE_REMEDY', { user }),
    );
  },
};

/** In the order of docs/hardening.md. */
export const CHECKS: Check[] = [
  passwords,
  appKey,
  aesKey,
  signatures,
  redis,
  origins,
  domains,
  ssoMapping,
  databaseRoles,
  workerRoles,
];
