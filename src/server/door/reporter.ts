import type { DoorReport } from '../../shared/door-report';
import { DOOR_ID } from '../../shared/door-report';
import type { Routes } from '../../shared/routes';
import type { Random } from '../random';
import type { DoorDisk } from './disk';
import type { HAProxy } from './haproxy';
import type { HAProxyProcess } from './haproxy-process';
import { TABLES, unusableOf } from './rules';
import { sampleOf } from './statistics';
import { Totals } from './totals';

const ID = 'id';
const TOTALS = 'totals.json';
/** Of an environment in a sample, the place of its refused connections. */
const REFUSED = 6;

/** What the feeder itself knows. */
type Known = Pick<DoorReport, 'version' | 'table' | 'isSecure' | 'certificates'> & { routes: Routes | null };

/** Collects what all processes of HAProxy have counted, and makes reports of it. */
export class Reporter {
  readonly id: string;
  private readonly totals: Totals;
  /** By environment, connections that were refused until the last report. */
  private refused: Record<string, number> | null = null;
  /** That may have been visited. */
  private environments: string[] = [];
  /** By process, its open WebSockets. */
  private sockets = new Map<string, number>();

  constructor(
    private readonly disk: DoorDisk,
    private readonly haproxy: HAProxy,
    random: Random,
  ) {
    this.id = idOn(disk, random);
    this.totals = Totals.from(disk.read(TOTALS), () => random.hex(8));
    haproxy.farewells.listen((process) => this.sample(process));
  }

  /** Never rejects. */
  async report({ routes, ...known }: Known): Promise<DoorReport> {
    const environments = [...(routes?.environments.keys() ?? [])];
    this.environments = environments;
    await this.collect();
    const { totals } = this;
    totals.seq++;
    const { apps, environments: answers, door } = totals.of(routes?.apps ?? new Map());
    try {
      this.disk.write(TOTALS, totals.text);
    } catch {
      // Whoever reads the report notices that it begins anew.
    }
    return {
      ...known,
      id: this.id,
      seq: totals.seq,
      start: totals.start,
      haproxy: this.haproxy.current?.version ?? null,
      sockets: [...this.sockets.values()].reduce((one, other) => one + other, 0),
      requests: door[0],
      errors: door[1],
      apps: apps as DoorReport['apps'],
      environments: Object.fromEntries(
        environments.flatMap((name) => (answers[name] ? [[name, answers[name].slice(0, REFUSED)]] : [])),
      ) as DoorReport['environments'],
      refused: this.newlyRefused(environments, answers),
      unusable: routes ? unusableOf(routes.environments) : [],
    };
  }

  private get processes(): HAProxyProcess[] {
    const { current, former } = this.haproxy;
    return [...(current ? [current] : []), ...former];
  }

  private async collect(): Promise<void> {
    await Promise.all(this.processes.map((process) => this.sample(process)));
    // One that was there before this program may still be found.
    if (!this.haproxy.former.areAll) return;
    // Of now: one that has come meanwhile, and that another report has asked, has not ended.
    const there = new Set(this.processes.map(keyOf));
    this.totals.keep(there);
    for (const key of this.sockets.keys()) if (!there.has(key)) this.sockets.delete(key);
  }

  /** Never rejects: of a process that ends meanwhile the last sample stays. */
  private async sample(process: HAProxyProcess): Promise<void> {
    const commands = [`show table ${TABLES.apps}`, 'show stat -1 3 -1'];
    const texts = await process.socket.send(commands).catch(() => null);
    if (!texts) return;
    const { sockets, ...sample } = sampleOf(texts[0], texts[1], this.environments);
    this.totals.note(keyOf(process), sample);
    this.sockets.set(keyOf(process), sockets);
  }

  private newlyRefused(environments: string[], answers: Record<string, number[]>): string[] {
    const counts = Object.fromEntries(environments.map((name) => [name, answers[name]?.[REFUSED] ?? 0]));
    const before = this.refused;
    this.refused = counts;
    return before ? environments.filter((name) => counts[name] > (before[name] ?? 0)) : [];
  }
}

const keyOf = ({ identity }: HAProxyProcess): string => `${identity.pid}.${identity.startedAt}`;

/** Made once, so that a door that is started again is the same one. */
function idOn(disk: DoorDisk, random: Random): string {
  const known = disk.read(ID)?.trim();
  if (known && DOOR_ID.test(known)) return known;
  const id = random.hex(8);
  try {
    disk.write(ID, id);
  } catch {
    // Until the next start.
  }
  return id;
}
