import path from 'node:path';
import { z } from 'zod';
import { freePort, HOST } from '../../scripts/fleet';
import { witnessEnv } from '../../scripts/fleet/witness';
import { ROOT } from '../../scripts/lib/root.mjs';

/** `blocked`: the longest time since last asked that the event loop was late by, in ms. `heap`: in bytes. */
const Probed = z.object({ blocked: z.number(), heap: z.number() });
type Probed = z.infer<typeof Probed>;

/** Asks the code that is preloaded into a Worker (servers/probe.cjs). */
export class Probe {
  private constructor(
    private readonly port: number,
    readonly env: Record<string, string>,
  ) {}

  /** With the environment variables of the Worker that it is to be in. */
  static async plan(fleet: string): Promise<Probe> {
    const port = await freePort();
    const file = path.join(ROOT, 'bench/lib/servers/probe.cjs');
    const env = { NODE_OPTIONS: `--preserve-symlinks --require ${file}`, BENCH_PROBE_PORT: String(port) };
    return new Probe(port, { ...env, ...witnessEnv(fleet) });
  }

  /** Of the heap after what is not needed has been collected. */
  async ask(what: '/' | '/heap'): Promise<Probed> {
    return Probed.parse(await (await fetch(`http://${HOST}:${this.port}${what}`)).json());
  }
}
