import path from 'node:path';
import { z } from 'zod';
import { freePort, HOST } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';

/** `blocked`: the longest delay of the event loop since the last request, in ms. `heap`: in bytes. */
const Probed = z.object({ blocked: z.number(), heap: z.number() });
type Probed = z.infer<typeof Probed>;

/** In the format of V8's inspector: the code at each sample, and the time between samples, in µs. */
const Profile = z.object({
  nodes: z.array(z.object({ id: z.number(), callFrame: z.object({ functionName: z.string(), url: z.string() }) })),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});
export type Profile = z.infer<typeof Profile>;

/** Sends requests to the code that is preloaded into the measured process (servers/probe.cjs). */
export class Probe {
  private constructor(
    private readonly port: number,
    readonly env: Record<string, string>,
  ) {}

  /** With the environment variables for its process. */
  static async plan(options = ''): Promise<Probe> {
    const port = await freePort();
    const file = path.join(ROOT, 'bench/lib/servers/probe.cjs');
    return new Probe(port, { NODE_OPTIONS: `${options} --require ${file}`, BENCH_PROBE_PORT: String(port) });
  }

  /** `/heap`: after a garbage collection. */
  async ask(what: '/' | '/heap'): Promise<Probed> {
    return Probed.parse(await this.get(what));
  }

  /** Of the process from now on. */
  async profile(seconds: number): Promise<Profile> {
    return Profile.parse(await this.get(`/profile/${seconds}`));
  }

  private async get(what: string): Promise<unknown> {
    return (await fetch(`http://${HOST}:${this.port}${what}`)).json();
  }
}
