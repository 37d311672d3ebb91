import { environmentName } from './app';
import {
  bigInt,
  choice,
  type Fields,
  flag,
  type In,
  integer,
  joined,
  list,
  mapOf,
  message,
  number,
  object,
  objectIn,
  orNull,
  text,
  type ValueOf,
} from './fields';
import { HTTP_ADDRESS } from './http-address';
import { fleetLoad } from './summary';
import { HEALTHS, STATUSES } from './words';

const AWAY = {
  app: text(),
  /** Where it was moved; null if it was stopped. */
  to: orNull(text()),
};
/** An app that a drain has taken from an environment. */
const away = object({ ...AWAY, uid: text() });
export type Away = ValueOf<typeof away>;

const values = list(orNull(number()));

const reportedAddress = text({ pattern: [HTTP_ADDRESS, 'INPUT_HTTP_ADDRESS'], strict: true });

const share = object({ used: number(), limit: number() });

/**
 * An environment. Every field is declared here. A Worker's registration, table, row and API documentation are derived
 * from it (see fields.ts). The default of a registered field is shown until the environment has registered.
 */
const FIELDS = {
  name: { type: environmentName, in: ['table', 'registration', 'row'], column: { primaryKey: true } },
  url: { type: reportedAddress, default: '', in: ['registration', 'row'] },
  /** In a registration, what the Worker reports; in a row, what is used: one that is confirmed (supervisor/fleet/proxy-address.ts). */
  proxyUrl: { type: reportedAddress, default: '', in: ['registration', 'row'] },
  /** Proxy addresses that were given when it was added, or that a person has confirmed. Null in rows of releases that asked nobody. */
  proxyUrls: { type: orNull(list(text())), since: '0.3.0', in: ['table'] },
  /** The proxy address that its Worker reports and nobody has confirmed; null: none. */
  unconfirmedProxyUrl: { type: orNull(text()), default: null, since: '0.3.0', in: ['row'] },
  appVersion: { type: text(), default: '', in: ['registration', 'row'] },
  /** `<name>@<version>` of each plugin that all of its apps have. */
  plugins: { type: list(text()), in: ['registration'] },
  /** `health` is online or suspect; multi-app-manager's migration page filters by it. */
  available: { type: flag(), in: ['row'] },
  health: { type: choice(HEALTHS), in: ['row'] },
  since: { type: bigInt(), in: ['row'] },
  /** Whether it serves requests (`WORKER_MODE`). */
  serves: { type: flag(), default: true, in: ['registration', 'row'] },
  /** First 12 hex digits of a keyed hash, to compare secrets without revealing them. */
  fingerprints: { type: object({ appKey: text(), aesKey: orNull(text()) }), in: ['registration'] },
  /** Accepts no new apps. */
  cordoned: { type: flag(), default: false, in: ['table', 'row'] },
  /** Apps that drains have moved or stopped since it was last uncordoned; in a row, those that still are as they left them. */
  away: {
    type: list(away),
    rowType: list(object({ ...AWAY, title: text(), /** Whether it has left, or rests there. */ isGone: flag() })),
    default: [],
    since: '0.3.0',
    in: ['table', 'row'],
  },
  /** The process that holds the lease, `host:pid:random`; null if none does. */
  instance: { type: orNull(text()), in: ['row'] },
  /** A second live process with the same name, which hosts nothing. */
  standby: { type: orNull(text()), in: ['row'] },
  lastHeartbeatAt: { type: orNull(bigInt()), in: ['row'] },
  apps: { type: mapOf(STATUSES, integer()), in: ['row'] },
  /** Resident set size in bytes. */
  memory: { type: orNull(number()), in: ['row'] },
  /** What its process uses of each limit: memory in bytes, of the container null where it has none; processors. Null if that is not known. */
  usage: {
    type: orNull(object({ heap: share, container: orNull(share), machine: share, cpu: share })),
    default: null,
    in: ['row'],
  },
  /** 99th percentile since the last heartbeat, in milliseconds. */
  eventLoopDelay: { type: orNull(number()), in: ['row'] },
  /** Each says what to do. The row also contains the Supervisor's own warnings. */
  warnings: { type: list(message()), in: ['registration', 'row'] },
  /** Whether it gives a new app its `initialAdmin`; before 0.1.1 every new app got NocoBase's well-known password. */
  setsInitialAdmin: { type: flag(), default: false, since: '0.1.1', in: ['registration'] },
  /** How it gives new apps database roles of their own (databases/server-roles.ts); null before 0.3.0. */
  databaseRole: {
    type: orNull(
      object({ mode: choice(['made', 'denied', 'shared', 'none']), user: text(), server: text(), sql: text() }),
    ),
    default: null,
    since: '0.3.0',
    in: ['registration'],
  },
  /** Whether it signs what it reports. */
  signs: { type: flag(), default: false, since: '0.3.0', in: ['registration'] },
  /** Of the lease under which it was written: an older one is an old registration. */
  epoch: { type: bigInt(), default: 0, since: '0.3.0', in: ['registration'] },
  /** Whether it has no key of the fleet but that of its environment (`APP_SUPERVISOR_ENVIRONMENT_KEY`). */
  hasOwnKey: { type: flag(), default: false, since: '0.3.0', in: ['registration'] },
  lastSeenAt: { type: bigInt(), in: ['table'] },
  /** The last hour, coarsely, for a Supervisor that starts (supervisor/overview/load-history.ts). */
  load: {
    type: orNull(
      object({ end: bigInt(), memory: values, cpu: values, delay: values, requests: values, errors: values }),
    ),
    since: '0.3.0',
    in: ['table'],
  },
  /** Whether the leader still has to remove it from apps, operations and tombstones, because it was forgotten. */
  isRemoved: { type: flag(), default: false, in: ['table'] },
  /**
   * When it was last forgotten, in ms since 1970; 0 for never. A Worker of an older floor starts empty. In its registration: the
   * one to which it belongs.
   */
  floor: { type: bigInt(), default: 0, since: '0.3.0', in: ['table', 'registration'] },
} as const satisfies Fields;

export const ENVIRONMENT = {
  ...FIELDS,
  registration: { type: objectIn(FIELDS, 'registration'), default: {}, in: ['table'] },
} as const satisfies Fields;

/** The description of an environment; written when its worker takes the lease and when it changes. */
export type Registration = In<typeof ENVIRONMENT, 'registration'>;
/** As stored in the Supervisor's database. */
export type StoredEnvironment = In<typeof ENVIRONMENT, 'table'>;
export type EnvironmentRow = In<typeof ENVIRONMENT, 'row'>;

/** An app in one environment. */
const hosted = object({
  name: text(),
  title: text(),
  status: choice(STATUSES),
  since: bigInt(),
  error: orNull(message()),
});

/** What `appEnvironments:get` answers: the row, and what is seen of one environment only. */
export const environmentDetails = joined(
  objectIn(FIELDS, 'row'),
  object({
    /** The worst first. */
    hosted: list(hosted),
    load: fleetLoad,
  }),
);
export type EnvironmentDetails = ValueOf<typeof environmentDetails>;

/** Whether nobody but its Worker has named it: nothing is published for it, and nobody is sent there. */
export const isToBeAdmitted = ({
  proxyUrl,
  unconfirmedProxyUrl,
}: Pick<EnvironmentRow, 'proxyUrl' | 'unconfirmedProxyUrl'>) => proxyUrl === '' && unconfirmedProxyUrl !== null;
