import type { DoorCertificate, DoorReport } from '../../../shared/door-report';
import { type Message, type MessageCode, say } from '../../../shared/message';

/** A door, as this Supervisor has read it. */
export interface SeenDoor {
  report: DoorReport;
  /** Requests and errors a second; null if it was read only once. */
  rates: { requests: number; errors: number } | null;
  /** Nothing new was read of it for some time. */
  isSilent: boolean;
  /** When something new was last read, in ms since 1970. */
  seenAt: number;
}

/** Something that is wrong with doors, as problem, event and notification. */
export interface DoorTrouble {
  /** `red`: visitors notice it. */
  level: 'red' | 'yellow';
  message: Message;
  /** Set if it is of one environment or app. */
  environment?: string;
  app?: { name: string; uid: string };
}

/** A table that was last known to be the newest so long ago is old, in ms. */
const OLD_TABLE = 60_000;
/** A certificate that ends within this time is about to, in ms. */
const SOON = 14 * 24 * 3_600_000;

const CERTIFICATE = {
  unreadable: 'CERTIFICATE_UNREADABLE',
  keyMissing: 'CERTIFICATE_KEY_MISSING',
  keyDiffers: 'CERTIFICATE_KEY_DIFFERS',
  refused: 'CERTIFICATE_REFUSED',
  notYetValid: 'CERTIFICATE_NOT_YET_VALID',
  expired: 'CERTIFICATE_EXPIRED',
} as const satisfies Record<NonNullable<DoorCertificate['problem']>, MessageCode>;

/**
 * @param expected how many doors there are to be, and how many of these may only be starting again
 * @param domains custom domains of apps
 * @param now ms since 1970
 */
export function doorTroubles(
  doors: readonly SeenDoor[],
  { expected, leaving }: { expected: number; leaving: number },
  domains: ReadonlyArray<{ name: string; uid: string; domain: string }>,
  environments: ReadonlySet<string>,
  now: number,
): DoorTrouble[] {
  const alive = doors.filter(({ isSilent }) => !isSilent);
  const missing = expected - doors.length - leaving;
  const none: DoorTrouble[] =
    missing > 0
      ? [{ level: alive.length ? 'yellow' : 'red', message: say('DOORS_MISSING', { expected, count: doors.length }) }]
      : [];
  const found = [
    ...none,
    ...doors.flatMap((door) => ofDoor(door, alive.length > 0, now)),
    ...unusable(alive, environments),
    ...uncertified(alive, domains),
  ];
  // Two doors with one folder of certificates say the same.
  const texts = new Set<string>();
  return found.filter(({ message }) => {
    const text = JSON.stringify(message);
    return !texts.has(text) && texts.add(text);
  });
}

function ofDoor({ report, isSilent }: SeenDoor, isOther: boolean, now: number): DoorTrouble[] {
  const { id: door, table, haproxy, certificates } = report;
  if (isSilent) return [{ level: isOther ? 'yellow' : 'red', message: say('DOOR_SILENT', { door }) }];
  return [
    ...(haproxy === null ? [{ level: 'red' as const, message: say('DOOR_WITHOUT_HAPROXY', { door }) }] : []),
    ...(table === null || table.age > OLD_TABLE
      ? [{ level: 'yellow' as const, message: say('DOOR_TABLE_OLD', { door }) }]
      : []),
    ...certificates.flatMap((certificate) => ofCertificate(certificate, now)),
  ];
}

function ofCertificate({ file, notAfter, problem }: DoorCertificate, now: number): DoorTrouble[] {
  if (problem)
    return [{ level: problem === 'expired' ? 'red' : 'yellow', message: say(CERTIFICATE[problem], { file }) }];
  if (notAfter === null || notAfter - now > SOON) return [];
  return [
    {
      level: 'yellow',
      message: say('CERTIFICATE_ENDS', { file, date: new Date(notAfter).toISOString().slice(0, 10) }),
    },
  ];
}

function unusable(doors: readonly SeenDoor[], known: ReadonlySet<string>): DoorTrouble[] {
  const names = new Set(doors.flatMap(({ report }) => report.unusable.filter((name) => known.has(name))));
  return [...names].map((environment) => ({
    level: 'yellow',
    message: say('DOOR_ADDRESS_UNUSABLE', { environment }),
    environment,
  }));
}

/** Domains that a door serves by https without a certificate for them: browsers warn of them. */
function uncertified(
  doors: readonly SeenDoor[],
  domains: ReadonlyArray<{ name: string; uid: string; domain: string }>,
): DoorTrouble[] {
  return domains.flatMap(({ name, uid, domain }): DoorTrouble[] =>
    isUncertified(doors, domain)
      ? [{ level: 'yellow', message: say('DOMAIN_UNCERTIFIED', { app: name, domain }), app: { name, uid } }]
      : [],
  );
}

/** Whether one of the doors that serve https has no certificate for a domain. */
export function isUncertified(doors: readonly SeenDoor[], domain: string): boolean {
  const wildcard = domain.replace(/^[^.]+/, '*');
  const covers = ({ names, isServed }: DoorCertificate) =>
    isServed && (names.includes(domain) || names.includes(wildcard));
  return doors.some(({ report, isSilent }) => !isSilent && report.isSecure && !report.certificates.some(covers));
}
