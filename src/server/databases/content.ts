import { say } from '../../shared/message';
import { AppSupervisorError } from '../errors';
import type { Place } from './connection';
import { hasTable, type Relation } from './dialect';
import { HOSTS_TABLE, type HostRow, readRows, rowsSql } from './host-rows';
import type { OpenPlace } from './open';
import { MARKER_TABLE, type OwnershipMarker, readMarker } from './ownership-marker';
import type { Row } from './session';

export interface PluginRow {
  name: string;
  version: string;
  enabled: boolean;
  builtIn: boolean;
}

export interface DatabaseContent {
  /** `partial`: tables of an interrupted installation that never had a version. */
  installed: 'none' | 'partial' | 'complete';
  /** NocoBase version of the data; null if it was lost, for example by an upgrade that was killed while it wrote it. */
  version: string | null;
  plugins: PluginRow[];
  /** Whether its tables are named `application_version`, which the installation decides; null if there are none. */
  underscored: boolean | null;
}

export interface FoundContent extends DatabaseContent {
  mark: OwnershipMarker | null;
  /** It has the tables of this plugin, which every main app has and no hosted app, and no marker: the main database of a process. */
  isMain: boolean;
  /** Neither tables nor marker. */
  empty: boolean;
}

/** Tables of this plugin, which say nothing about an installation. */
export const OWN_TABLES: readonly string[] = [MARKER_TABLE, HOSTS_TABLE];

/**
 * The content of the app's place, determined from its tables only.
 * @param asData whether the session may do more than the app, and must run none of its code
 */
export async function readContent(at: OpenPlace, asData = false): Promise<FoundContent> {
  const { prefix } = at.place;
  const relations = await at.relations();
  const names = new Set(relations.map(({ name }) => name));
  const read = <T>(table: string, work: () => Promise<T>): Promise<T | null> =>
    asData && at.dialect.roles ? readAsData(at, table, work) : work();
  const mark = hasTable(relations, MARKER_TABLE) ? await read(MARKER_TABLE, () => readMarker(at)) : null;
  const select = async (camel: string, snake: string): Promise<Row[]> => {
    const name = [camel, snake].map((base) => prefix + base).find((table) => names.has(table));
    return (name && (await read(name, () => at.query(`SELECT * FROM ${at.table(name)}`)))) || [];
  };
  const version = (await select('applicationVersion', 'application_version'))[0]?.value;
  const plugins = (await select('applicationPlugins', 'application_plugins')).map((row) => ({
    name: String(row.name),
    version: String(row.version ?? ''),
    enabled: isTrue(row.enabled),
    builtIn: isTrue(row.builtIn ?? row.built_in),
  }));
  const underscored =
    names.has(`${prefix}application_version`) || (names.has(`${prefix}applicationVersion`) ? false : null);
  const tables = relations.filter((relation) => !OWN_TABLES.some((name) => hasTable([relation], name))).length;
  const installed = version || mark?.installed ? 'complete' : tables > 0 ? 'partial' : 'none';
  return {
    installed,
    version: version ? String(version) : null,
    plugins,
    underscored,
    mark,
    isMain: hasMainTables(relations),
    empty: tables === 0 && !mark,
  };
}

/** The rows of who hosts an app, read as the Worker. Empty where the dialect cannot lock the table. */
export const readHosts = async (at: OpenPlace): Promise<HostRow[]> =>
  at.roles.lockTable ? readRows((await readAsData(at, HOSTS_TABLE, () => at.query(rowsSql(at)))) ?? []) : [];

/**
 * What a table of an app says, read as somebody who may do more than the app: what is no table is not read, because a view runs code.
 * @returns null if there is no such table
 */
async function readAsData<T>(at: OpenPlace, table: string, read: () => Promise<T>): Promise<T | null> {
  const isThere = async () => hasTable(await at.relations(), table);
  // Before the lock, which needs a table, and after it: nobody can put a view in its place then.
  if (!(await isThere())) return null;
  const look = async () => ((await isThere()) ? read() : null);
  return (at.roles.lockTable?.(at.session, at.table(table), look) ?? look()).catch((error) => {
    if (at.dialect.faultOf(error) === 'noTable') return null;
    throw error;
  });
}

/** By the names of its tables alone, which are safe to read as any user. */
const hasMainTables = (relations: Relation[]): boolean =>
  !hasTable(relations, MARKER_TABLE) && relations.some(({ name }) => /app_?supervisor_?leaders$/i.test(name));

/** @throws DATABASE_RESERVED for the main database of a process, whoever owns it */
export async function assertNotMain(at: OpenPlace): Promise<void> {
  if (hasMainTables(await at.relations())) refuseMain(at.place);
}

export function refuseMain(place: Place): never {
  const owner = say('OWNER_OTHER_MAIN');
  throw new AppSupervisorError('DATABASE_RESERVED', { object: place.label, server: place.server, owner });
}

/** MySQL, MariaDB and SQLite store a boolean as a number. */
const isTrue = (value: unknown) => value === true || Number(value) === 1;
