import { type Message, type Param, say as text, verbatim } from '../../shared/message';
import type { DatabaseCheck } from '../../shared/messages';
import type { DbConnType } from '../../shared/types';
import { type AppSupervisorError, describeError, type ErrorCode } from '../errors';
import { type DatabaseConnection, ownerOf, type Place, type Protected, placeOf, serverOf } from './connection';
import { readContent } from './content';
import { createDenied, explainDenied } from './create';
import type { Creatable, Dialect } from './dialect';
import { dialectOf } from './dialects';
import { type Opener, OpenPlace, withSessions } from './open';
import { removeMarkerSql } from './ownership-marker';
import { isPooled } from './pooler';
import { roleDenied } from './role';
import type { ServerRoles } from './server-roles';
import type { Session } from './session';

/** With the time to close connections (`CLOSE_TIMEOUT`) an answer takes 5 s at most. */
const DEADLINE = 4_400;

/** In this order; checks after a failed one are not made. */
export type { DatabaseCheck };
export type Check = DatabaseCheck['checks'][number];
export type CheckName = Check['name'];
export type Verdict = DatabaseCheck['verdict'];

export interface CheckOptions {
  /** The app that requests the check; a database with its own marker is available to it. */
  uid?: string;
  protect?: Protected;
  /**
   * Finds out whether the app gets a role of its own (server-roles.ts), within the time of the check; it may give the connection another
   * database by that. Absent for a separate connection.
   */
  roles?: () => Promise<Roles>;
}

/** Undefined: not known. */
type Roles = ServerRoles['mode'] | undefined;

/** Checks whether an app could use the database, and why not. Changes nothing, never rejects. */
export async function checkDatabase(
  connection: DatabaseConnection,
  dbConnType: DbConnType,
  options: CheckOptions = {},
): Promise<DatabaseCheck> {
  const checks: Check[] = [];
  const report: Report = (name, ok, message, remedy) =>
    checks.push({ name, ok, message, ...(remedy ? { remedy } : {}) });
  // An unknown dialect has none.
  const clock = dialectOf(connection)?.clock;
  const begin = clock?.now().mono;
  const isReported = (name: CheckName) => checks.some((check) => check.name === name);
  try {
    placeOf(connection, dbConnType);
    report('names', true, text('CHECK_NAMES'));
    const verdict = await withSessions(connection, DEADLINE, async (open) => {
      const roles = await options.roles?.();
      return new Inspection(open, placeOf(connection, dbConnType), report, options, roles).run();
    });
    return { checks: [...checks], verdict };
  } catch (error) {
    const { code, params } = error as AppSupervisorError;
    // The time would tell a closed port from one that does not answer.
    if (connection.isSeparate && code === 'DATABASE_UNREACHABLE')
      await clock.sleep(DEADLINE - (clock.now().mono - begin));
    // An error without a check of its own belongs to the check after the last successful one.
    const name = FAILS[code] ?? (isReported('signIn') ? 'content' : 'signIn');
    for (const passed of CONNECTING.slice(0, Math.max(0, CONNECTING.indexOf(name)))) {
      if (!isReported(passed)) report(passed, true, connected(passed, serverOf(connection), connection.username));
    }
    report(name, false, describeError(error), remedyOf(params.sql));
    return { checks, verdict: 'unusable' };
  }
}

type Report = (name: CheckName, ok: boolean, message: Message, remedy?: Message) => void;

const remedyOf = (sql: Param | undefined) => (sql === undefined ? undefined : verbatim(String(sql)));

/** The check that an error belongs to. */
const FAILS: Partial<Record<ErrorCode, CheckName>> = {
  DATABASE_NAME_INVALID: 'names',
  DATABASE_DIALECT: 'names',
  DATABASE_UNREACHABLE: 'reachable',
  DATABASE_CREATE_DENIED: 'create',
};

/** Reaching a check proves those before it. */
const CONNECTING: CheckName[] = ['reachable', 'signIn', 'create'];

const userOf = (name?: string): Param => (name ? `"${name}"` : text('THIS_PROCESS'));
const connected = (check: CheckName, server: Param, user?: string) =>
  check === 'reachable' ? text('CHECK_REACHABLE', { server }) : text('CHECK_SIGNED_IN', { user: userOf(user) });

class Inspection {
  private readonly dialect: Dialect;

  constructor(
    private readonly open: Opener,
    private readonly place: Place,
    private readonly report: Report,
    private readonly options: CheckOptions,
    private readonly roles: Roles,
  ) {
    this.dialect = dialectOf(place.connection);
  }

  async run(): Promise<Verdict> {
    const { place, dialect, report } = this;
    // MySQL and MariaDB also report "denied" for a database that does not exist.
    const app = await explainDenied(place, 'database', () => this.open.app());
    const session = app ?? (await this.open.server(this.options.protect?.database));
    report('reachable', true, connected('reachable', place.server));
    report('signIn', true, connected('signIn', place.server, place.user));

    const reserved = ownerOf(place, this.options.protect);
    if (reserved) return this.reserved(reserved);
    if (!app && place.kind === 'schema' && this.roles !== 'made') {
      const message = text('CHECK_NO_DATABASE', { database: place.database });
      report('create', false, message, verbatim(dialect.adminSql(place, 'database')));
      return 'unusable';
    }
    const missing = !app ? 'database' : (await dialect.hasSchema(app, place)) ? null : 'schema';
    const verdict = missing ? await this.absent(session, missing) : await this.present(new OpenPlace(place, session));
    return verdict === 'unusable' || verdict === 'taken' || (await this.supportsLocks(session, Boolean(app)))
      ? verdict
      : 'unusable';
  }

  private async absent(session: Session, missing: 'database' | 'schema'): Promise<Verdict> {
    const { place } = this;
    if (!this.hasRole() || !(await this.may(session, missing))) return 'unusable';
    this.report('create', true, text('CHECK_CREATES', { object: place.label, user: userOf(place.user) }));
    this.report('content', true, text('CHECK_FREE'));
    return 'free';
  }

  private async present(at: OpenPlace): Promise<Verdict> {
    const { place, report } = this;
    const { mark, empty, version, isMain } = await readContent(at, true);
    if (isMain) return this.reserved(text('OWNER_OTHER_MAIN'));
    if (mark && mark.uid !== this.options.uid) {
      const message = text('CHECK_OTHER_APP', { object: place.label, app: mark.app, uid: mark.uid });
      return this.taken(message, text('REMEDY_FREE_NAME', { sql: removeMarkerSql(place) }));
    }
    if (!mark && !empty && !version) return this.taken(text('CHECK_FOREIGN', { object: place.label }));
    if (!this.hasRole() || !(await this.may(at.session, this.roles === 'made' ? 'owner' : 'tables'))) return 'unusable';
    report('create', true, text('CHECK_CREATES_TABLES', { object: place.label, user: userOf(place.user) }));
    if (!mark && version) {
      report('content', true, text('CHECK_ADOPTABLE', { version }));
      return 'adoptable';
    }
    report('content', true, text(mark ? 'CHECK_OWN' : 'CHECK_EMPTY'));
    return 'free';
  }

  private reserved(owner: Message): Verdict {
    return this.taken(text('CHECK_RESERVED', { object: this.place.label, owner }));
  }

  private taken(message: Message, remedy = text('REMEDY_OTHER_NAME')): Verdict {
    this.report('content', false, message, remedy);
    return 'taken';
  }

  /** Whether the app gets a role of its own, or may do without. */
  private hasRole(): boolean {
    return this.roles !== 'denied' || this.refuse(roleDenied(this.place.connection));
  }

  private async may(session: Session, what: Creatable): Promise<boolean> {
    return (await this.dialect.mayCreate(session, this.place, what)) || this.refuse(createDenied(this.place, what));
  }

  private refuse(error: AppSupervisorError): false {
    this.report('create', false, describeError(error), remedyOf(error.params.sql));
    return false;
  }

  /** Whether a lock would live as long as its session. */
  private async supportsLocks(first: Session, exists: boolean): Promise<boolean> {
    const open = () => (exists ? this.open.app() : this.open.server(this.options.protect?.database));
    const shared = await isPooled(this.dialect, first, open);
    if (shared === null) return true;
    if (!shared) this.report('session', true, text('CHECK_LOCKS'));
    else this.report('session', false, text('CHECK_POOLED', { server: this.place.server }), text('REMEDY_POOL_MODE'));
    return !shared;
  }
}
