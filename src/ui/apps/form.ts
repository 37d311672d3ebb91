import type { AppOptions, AppRow, DbConnType, StartMode } from '../../shared/types';

/** What the form holds, shaped as the API takes it. */
export interface AppValues {
  title: string;
  name?: string;
  icon: string | null;
  cname?: string;
  environments: string[];
  targetEnvironment?: string;
  startMode: StartMode;
  autoUpgrade: boolean;
  pinned: boolean;
  hidden: boolean;
  options: AppOptions;
  /** Of a new one. */
  initialAdmin?: { username?: string; email?: string; password?: string };
}

export const newValues = (): AppValues => ({
  title: '',
  icon: null,
  environments: [],
  startMode: 'onVisit',
  autoUpgrade: true,
  pinned: false,
  hidden: false,
  options: {
    dbConnType: 'new_database',
    database: { dialect: 'postgres' },
  },
});

export function valuesOf(app: AppRow): AppValues {
  const { title, name, icon, cname, environments, targetEnvironment, startMode, autoUpgrade, pinned, hidden, options } =
    app;
  return {
    title,
    name,
    icon,
    cname: cname ?? undefined,
    environments,
    targetEnvironment: targetEnvironment ?? undefined,
    startMode,
    autoUpgrade,
    pinned,
    hidden,
    options,
  };
}

type Database = NonNullable<AppOptions['database']>;

/** The parts of a connection that each kind has, in the order of the form. */
export const DATABASE_PARTS: Record<DbConnType, (keyof Database)[]> = {
  new_database: ['database', 'tablePrefix'],
  new_schema: ['schema', 'tablePrefix'],
  new_connection: ['dialect', 'host', 'port', 'username', 'password', 'database', 'schema', 'tablePrefix'],
};

/** What an app's data is found by; chosen at creation for good. */
const FIXED: (keyof Database)[] = ['dialect', 'database', 'schema', 'tablePrefix'];
export const isFixed = (part: keyof Database): boolean => FIXED.includes(part);

/** Whether the stored password does not go along, since the connection leads to another server or signs in as another user. */
export const needsPassword = (was: Database = {}, now: Database = {}): boolean =>
  (['host', 'port', 'username'] as const).some((part) => (clean(now[part]) ?? was[part]) !== was[part]);

/** The part of the connection that the API takes: nothing left empty, nothing that cannot be changed. */
export function databaseOf(options: AppOptions, isNew: boolean): Database {
  const parts = DATABASE_PARTS[options.dbConnType ?? 'new_database'].filter((part) => isNew || !isFixed(part));
  const entries = parts
    .map((part) => [part, clean(options.database?.[part])])
    .filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

/** @returns the body of `apps:create` or, with the app as it was, of `apps:update`. */
export function bodyOf(values: AppValues, was?: AppRow): Record<string, unknown> {
  const { name, cname, targetEnvironment, environments, options, initialAdmin, ...rest } = values;
  const database = databaseOf(options, !was);
  const { username, email } = initialAdmin ?? {};
  const admin = withoutEmpty({ username: clean(username), email: clean(email), password: initialAdmin?.password });
  return {
    ...rest,
    title: values.title.trim(),
    ...(!was && clean(name) && { name: clean(name) }),
    cname: clean(cname)?.toLowerCase() ?? null,
    ...(environments.length > 0 && {
      environments,
      targetEnvironment:
        targetEnvironment && environments.includes(targetEnvironment) ? targetEnvironment : environments[0],
    }),
    options: {
      ...(!was && { dbConnType: options.dbConnType }),
      ...(Object.keys(database).length > 0 && { database }),
    },
    ...(Object.keys(admin).length > 0 && { initialAdmin: admin }),
  };
}

const withoutEmpty = (values: Record<string, string | undefined>) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value));

const clean = <T>(value: T): T | undefined => {
  const trimmed = (typeof value === 'string' ? value.trim() : value) as T;
  return trimmed === '' || trimmed === null ? undefined : trimmed;
};
