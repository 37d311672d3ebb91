import path from 'node:path';
import { z } from 'zod';
import { freePort, HOST } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';

/** `blocked`: the longest time since last asked that the event loop was late by, in ms. `heap`: in bytes. */
const Probed = z.object({ blocked: z.number(), heap: z.number() });
type Probed = z.infer<typeof Probed>;

/** As V8's inspector has it: what ran at each sample, and the time from one to the next, in µs. */
const Profile = z.object({
  nodes: z.array(z.object({ id: z.number(), callFrame: z.object({ functionName: z.string(), url: z.string() }) })),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});
export type Profile = z.infer<typeof Profile>;

/** Asks the code that is preloaded into what is measured (servers/probe.cjs). */
export class Probe {
  private constructor(
    private readonly port: number,
    readonly env: Record<string, string>,
  ) {}

  /** With the environment variables of the process that it is to be in. */
  static async plan(options = ''): Promise<Probe> {
    const port = await freePort();
    const file = path.join(ROOT, 'bench/lib/servers/probe.cjs');
    return new Probe(port, { NODE_OPTIONS: `${options} --require ${file}`, BENCH_PROBE_PORT: String(port) });
  }

  /** Of the heap after what is not needed has been collected. */
  async ask(what: '/' | '/heap'): Promise<Probed> {
    return Probed.parse(await this.get(what));
  }

  /** Of what the process does from now on. */
  async profile(seconds: number): Promise<Profile> {
    return Profile.parse(await this.get(`/profile/${seconds}`));
  }

  private async get(what: string): Promise<unknown> {
    return (await fetch(`http://${HOST}:${this.port}${what}`)).json();
  }
}
