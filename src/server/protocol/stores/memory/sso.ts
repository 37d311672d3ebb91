import type { SsoCode, SsoEnd } from '../../../../shared/messages';
import type { Clock } from '../../../clock';
import type { Random } from '../../../random';
import { hashOfCode, type SsoStore } from '../sso';

/** `SsoStore` of one process. */
export class MemorySso implements SsoStore {
  /** By hash, in the order of their ends as far as their lifetimes are equal. */
  private readonly codes = new Map<string, { content: SsoCode; until: number }>();
  private readonly ends = new Map<string, number>();
  private version = '';

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  async issue(code: string, content: SsoCode, lifetime: number): Promise<void> {
    const { mono } = this.clock.now();
    for (const [hash, { until }] of this.codes) if (until <= mono) this.codes.delete(hash);
    this.codes.set(hashOfCode(code), { content: structuredClone(content), until: mono + lifetime });
  }

  async redeem(code: string): Promise<SsoCode | null> {
    const hash = hashOfCode(code);
    const found = this.codes.get(hash);
    this.codes.delete(hash);
    return found && found.until > this.clock.now().mono ? found.content : null;
  }

  async writeEnds(ends: SsoEnd[]): Promise<void> {
    for (const { user, at } of ends) {
      if (at <= (this.ends.get(user) ?? -1)) continue;
      this.ends.set(user, at);
      this.version = this.random.id();
    }
  }

  async endsVersion(): Promise<string> {
    return this.version;
  }

  async readEnds(users: string[]): Promise<Map<string, number>> {
    return new Map(
      users.flatMap((user): [string, number][] => {
        const at = this.ends.get(user);
        return at === undefined ? [] : [[user, at]];
      }),
    );
  }
}
