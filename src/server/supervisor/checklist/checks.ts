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

const tell = <C extends ChecklistCode>(
  code: C,
  ...[params]: [Names<(typeof CHECKLIST_TEXTS)[C]>] extends [never]
    ? []
    : [params: Record<Names<(typeof CHECKLIST_TEXTS)[C]>, Param>]
): Message => (params ? { code, params } : { code });

const named = (names: string[]) => names.join(', ');
const when = (condition: boolean, finding: () => Finding): Finding[] => (condition ? [finding()] : []);

/** The other processes of the fleet: in shared memory the only environment is this process. */
const workersOf = ({ config, environments }: ChecklistFacts): EnvironmentFacts[] =>
  config.part === 'local' ? [] : environments;

/** A finding about the environments of these Workers; none if there are none. */
function ofWorkers(workers: EnvironmentFacts[], make: (names: string) => Pick<Finding, 'text' | 'remedy'>): Finding[] {
  const names = workers.map(({ name }) => name);
  return when(names.length > 0, () => ({ level: 'red', environments: names, ...make(named(names)) }));
}

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
      ...when(facts.ownAdmin === 'default', () => ({
        level: 'red',
        text: tell('OWN_PASSWORD_KNOWN'),
        remedy: tell('OWN_PASSWORD_REMEDY'),
      })),
      ...ofWorkers(workers, (environments) => ({
        text: tell('WORKER_PASSWORDS_KNOWN', { environments, addresses }),
        remedy: tell('WORKER_PASSWORDS_REMEDY'),
      })),
      ...when(known.length > 0, () => ({
        level: 'red',
        text: tell('APP_PASSWORDS_KNOWN', { apps: named(known) }),
        remedy: tell('APP_PASSWORDS_REMEDY'),
        apps: known,
      })),
      ...when(unseen.length > 0, () => ({
        level: 'yellow',
        text: tell('APP_PASSWORDS_UNSEEN', { apps: named(unseen) }),
        remedy: tell('APP_PASSWORDS_UNSEEN_REMEDY'),
        apps: unseen,
      })),
    ];
  },
};

const WELL_KNOWN_FINGERPRINTS = new Set([...WELL_KNOWN_APP_KEYS].map(fingerprint));

const appKey: Check = {
  code: 'SAFE_APP_KEY',
  find(facts) {
    const { config } = facts;
    const remedy = tell('APP_KEY_REMEDY');
    const workers = workersOf(facts).filter(
      ({ registration }) => registration && WELL_KNOWN_FINGERPRINTS.has(registration.fingerprints.appKey),
    );
    return [
      ...when(WELL_KNOWN_APP_KEYS.has(config.host.appKey), () => ({
        level: 'red',
        text: tell('OWN_APP_KEY_KNOWN'),
        remedy,
      })),
      ...ofWorkers(workers, (environments) => ({ text: tell('WORKER_APP_KEYS_KNOWN', { environments }), remedy })),
      ...when(
        config.warnings.some(({ code }) => code === 'DEFAULT_JWT_SECRET_USED'),
        () => ({
          level: 'red',
          text: tell('JWT_SECRET_KNOWN'),
          remedy: tell('JWT_SECRET_REMEDY'),
        }),
      ),
    ];
  },
};

const aesKey: Check = {
  code: 'SAFE_AES_KEY',
  find(facts) {
    const remedy = tell('AES_KEY_REMEDY');
    // A Worker with a key of its own gets secrets sealed with that.
    const isBare = ({ registration }: EnvironmentFacts) =>
      registration?.fingerprints.aesKey === null && !registration.hasOwnKey;
    const workers = workersOf(facts).filter(isBare);
    return [
      ...when(facts.config.aesKey === null, () => ({ level: 'red', text: tell('OWN_AES_KEY_MISSING'), remedy })),
      ...ofWorkers(workers, (environments) => ({ text: tell('WORKER_AES_KEYS_MISSING', { environments }), remedy })),
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
      ...when(isKnown, () => ({
        level: 'red',
        text: tell('SIGNING_KEY_KNOWN'),
        remedy: tell('SIGNING_KEY_REMEDY'),
      })),
      ...ofWorkers(sharing, (environments) => ({
        text: tell('WORKERS_SHARE_KEY', { environments }),
        remedy: tell('WORKERS_SHARE_KEY_REMEDY'),
      })),
    ];
  },
};

const redis: Check = {
  code: 'SAFE_REDIS',
  find({ config }) {
    if (config.part !== 'supervisor') return null;
    const urls = { APP_SUPERVISOR_REDIS_URL: config.redis.stateUrl, APP_COMMAND_REDIS_URL: config.redis.commandUrl };
    const open = Object.entries(urls).filter(([, url]) => !hasPassword(url));
    const variables = named(open.map(([name]) => name));
    return when(open.length > 0, () => ({
      level: 'red',
      text: tell('REDIS_OPEN', { variables }),
      remedy: tell('REDIS_OPEN_REMEDY'),
    }));
  },
};

const origins: Check = {
  code: 'SAFE_ORIGINS',
  find({ config, apps }) {
    const names = apps.map(({ app }) => app.name);
    const labels = labelsOf(names);
    const hasOwn = (name: string) => labels.get(labelOf(name) ?? '') === name;
    const without = apps.filter(({ app }) => !app.cname && !hasOwn(app.name)).map(({ app }) => app.name);
    const isShared = config.appsDomain === null;
    const sharing = isShared ? names : without;
    return when(sharing.length > 0, () => ({
      level: 'red',
      text: tell(isShared ? 'ORIGINS_SHARED' : 'ORIGINS_MISSING', { apps: named(sharing) }),
      remedy: tell(isShared ? 'ORIGINS_SHARED_REMEDY' : 'ORIGINS_MISSING_REMEDY'),
      apps: sharing,
    }));
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
    const named = (some: typeof own) => some.map(({ name }) => name);
    const unknown = config.publicUrl === null ? named(own) : [];
    const taken = named(own.filter(({ cname }) => !isNamedHost(cname) || fleet.has(cname)));
    const red = (names: string[], code: 'DOMAINS_UNKNOWN' | 'DOMAINS_OF_FLEET') =>
      when(names.length > 0, () => ({
        level: 'red',
        text: tell(code, { apps: names.join(', ') }),
        remedy: tell(`${code}_REMEDY`),
        apps: names,
      }));
    return [...red(taken, 'DOMAINS_OF_FLEET'), ...red(unknown, 'DOMAINS_UNKNOWN')];
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
    return when(names.length > 0, () => ({
      level: 'red',
      text: tell('SSO_MAPS_NAMES', { apps: named(names) }),
      remedy: tell('SSO_MAPS_NAMES_REMEDY'),
      apps: names,
    }));
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
      ...when(sharing.length > 0, () => ({
        level: 'red',
        text: tell('DATABASE_ROLES_SHARED', { apps: named(sharing) }),
        remedy: tell('DATABASE_ROLES_SHARED_REMEDY'),
        apps: sharing,
      })),
      ...when(unmade.names.length > 0, () => ({
        level: 'red',
        text: tell('DATABASE_ROLES_UNMADE', { environments: named(unmade.names) }),
        remedy: unmade.first,
        environments: unmade.names,
      })),
      ...when(superusers.names.length > 0, () => ({
        level: 'yellow',
        text: tell('DATABASE_SUPERUSERS', { environments: named(superusers.names) }),
        remedy: tell('DATABASE_SUPERUSERS_REMEDY'),
        environments: superusers.names,
      })),
      ...when(unclosed.names.length > 0, () => ({
        level: 'yellow',
        text: tell('DATABASES_UNCLOSED', { environments: named(unclosed.names) }),
        remedy: unclosed.first,
        environments: unclosed.names,
      })),
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
    return shared.map(({ user, names }) => ({
      level: 'yellow',
      environments: names,
      text: tell('WORKERS_SHARE_ROLE', { environments: named(names), user }),
      remedy: tell('WORKERS_SHARE_ROLE_REMEDY'),
    }));
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
