import { APP } from '../../shared/app';
import { isToBeAdmitted } from '../../shared/environment';
import { defaultOf, type FormIn, isRequired, keysIn, type Type } from '../../shared/fields';
import { ssoOf } from '../../shared/sso';
import type { AppOptions, AppRow, DbConnType, EnvironmentRow } from '../../shared/types';
import { HEALTH } from '../common/status';
import type { Translate } from '../host';

/** The values of the form, in the shape of the API. */
export type AppValues = FormIn<typeof APP> & {
  /** For a new app only. */
  initialAdmin?: { username?: string; email?: string; password?: string };
};

/** Initial values of the form; fields that start empty are absent. */
export const newValues = () =>
  withSso(valuesFrom((key) => defaultOf(APP[key]) ?? (isRequired(APP[key]) ? '' : undefined)));

export const valuesOf = (app: AppRow) => withSso(valuesFrom((key) => app[key] ?? undefined));

/** An app may have been stored without settings that the form shows. */
const withSso = (values: AppValues): AppValues => ({
  ...values,
  options: { ...values.options, sso: { ...values.options.sso, ...ssoOf(values.options.sso) } },
});

const FORM = keysIn(APP, 'form');

const valuesFrom = (read: (key: (typeof FORM)[number]) => unknown) =>
  Object.fromEntries(
    FORM.map((key) => [key, read(key)]).filter(([, value]) => value !== undefined),
  ) as unknown as AppValues;

type Database = NonNullable<AppOptions['database']>;

/** The fields of each kind of connection, in the order of the form. */
export const DATABASE_PARTS: Record<DbConnType, (keyof Database)[]> = {
  new_database: ['database', 'tablePrefix'],
  new_schema: ['schema', 'tablePrefix'],
  new_connection: ['dialect', 'host', 'port', 'username', 'password', 'database', 'schema', 'tablePrefix'],
};

/** The settings that identify an app's data; fixed at creation. */
const FIXED: (keyof Database)[] = ['dialect', 'database', 'schema', 'tablePrefix'];
export const isFixed = (part: keyof Database): boolean => FIXED.includes(part);

/** Whether the stored password is not valid for the changed connection, because host, port or user differ. */
export const needsPassword = (was: Database = {}, now: Database = {}): boolean =>
  (['host', 'port', 'username'] as const).some((part) => (clean(now[part]) ?? was[part]) !== was[part]);

/** The connection in the shape of the API: without empty and without fixed values. */
export function databaseOf(options: AppOptions, isNew: boolean): Database {
  const parts = DATABASE_PARTS[options.dbConnType ?? 'new_database'].filter((part) => isNew || !isFixed(part));
  const entries = parts
    .map((part) => [part, clean(options.database?.[part])])
    .filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

/** @returns the body of `apps:create` or, if `was` is given, of `apps:update` */
export function bodyOf(values: AppValues, was?: AppRow): Record<string, unknown> {
  const { targetEnvironment, environments, options, initialAdmin } = values;
  const database = databaseOf(options, !was);
  const sso = ssoBody(options.sso, was?.options.sso);
  const { username, email } = initialAdmin ?? {};
  const admin = withoutEmpty({ username: clean(username), email: clean(email), password: initialAdmin?.password });
  const settings = keysIn(APP, was ? 'update' : 'create').map((key) => [key, settingOf(APP[key].type, values[key])]);
  const { environments: _, targetEnvironment: __, ...rest } = Object.fromEntries(settings);
  return {
    ...rest,
    ...(environments.length > 0 && {
      environments,
      targetEnvironment:
        targetEnvironment && environments.includes(targetEnvironment) ? targetEnvironment : environments[0],
    }),
    options: {
      ...(!was && { dbConnType: options.dbConnType }),
      ...(Object.keys(database).length > 0 && { database }),
      ...(sso && { sso }),
    },
    ...(Object.keys(admin).length > 0 && { initialAdmin: admin }),
  };
}

/** Nothing for an app that takes no part, and never did. What the form has no field of stays. */
function ssoBody(entered: AppOptions['sso'], was: AppOptions['sso']): AppOptions['sso'] {
  return entered?.enabled || was ? { ...was, ...entered } : undefined;
}

/**
 * Converts an entered value for the API: null clears a setting that may be empty; undefined leaves it to the
 * Supervisor.
 */
function settingOf(type: Type, entered: unknown): unknown {
  const value = clean(entered);
  if (value === undefined) return type.nullable ? null : undefined;
  return type.kind === 'text' && type.lower ? String(value).toLowerCase() : value;
}

const withoutEmpty = (values: Record<string, string | undefined>) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value));

const clean = <T>(value: T): T | undefined => {
  const trimmed = (typeof value === 'string' ? value.trim() : value) as T;
  return trimmed === '' || trimmed === null ? undefined : trimmed;
};

/** Whether an app may be placed in an environment that it does not have. */
const takesApps = (environment: EnvironmentRow): boolean =>
  environment.available && !environment.cordoned && !isToBeAdmitted(environment);

export function environmentOption(t: Translate, environment: EnvironmentRow, isMember: boolean) {
  const { name, available, serves, cordoned, health } = environment;
  const notes = [
    !available && t(HEALTH[health].label),
    isToBeAdmitted(environment) && t('To be admitted'),
    !serves && t('serves no visitors'),
    cordoned && t('accepts no new apps'),
  ].filter(Boolean);
  return {
    value: name,
    label: notes.length ? `${name} (${notes.join(t(', '))})` : name,
    disabled: !isMember && !takesApps(environment),
  };
}
