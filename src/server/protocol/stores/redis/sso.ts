import { type SsoCode, type SsoEnd, ssoCode, ssoEnd } from '../../../../shared/messages';
import type { Random } from '../../../random';
import { SUPERVISOR } from '../../envelope';
import redeemCode from '../../scripts/redeemCode-1.lua';
import writeManifests from '../../scripts/writeManifests-2.lua';
import { hashOfCode, type SsoStore } from '../sso';
import { placeOf, type Script, type StoreConnection } from './connection';

/** `SsoStore` in one key for each code and one hash for all ends. */
export class RedisSso implements SsoStore {
  private readonly redeemCode: Script;
  private readonly writeNewest: Script;
  /** By user: a signature is checked once. */
  private readonly opened = new Map<string, { text: string; at: number | null }>();

  constructor(
    private readonly connection: StoreConnection,
    private readonly random: Random,
  ) {
    this.redeemCode = connection.script('redeemCode', 1, redeemCode);
    this.writeNewest = connection.script('writeSsoEnds', 2, writeManifests);
  }

  async issue(code: string, content: SsoCode, lifetime: number): Promise<void> {
    const { connection } = this;
    const key = connection.keys.ssoCode(hashOfCode(code));
    await connection.redis.set(key, connection.sign(SUPERVISOR, key, content.at, content), 'PX', lifetime);
  }

  async redeem(code: string): Promise<SsoCode | null> {
    const key = this.connection.keys.ssoCode(hashOfCode(code));
    const text = (await this.redeemCode(key)) as string | null;
    return this.connection.open(SUPERVISOR, key, text, ssoCode)?.value ?? null;
  }

  async writeEnds(ends: SsoEnd[]): Promise<void> {
    const { connection, random } = this;
    const { keys } = connection;
    const args = ends.flatMap((end) => {
      const place = placeOf(keys.ssoEnds(), end.user);
      return [end.user, end.at, connection.sign(SUPERVISOR, place, end.at, end)];
    });
    await this.writeNewest(keys.ssoEnds(), keys.ssoEndsVersion(), random.id(), args);
  }

  async endsVersion(): Promise<string> {
    const { redis, keys } = this.connection;
    return (await redis.get(keys.ssoEndsVersion())) ?? '';
  }

  async readEnds(users: string[]): Promise<Map<string, number>> {
    const { redis, keys } = this.connection;
    const texts = users.length ? await redis.hmget(keys.ssoEnds(), ...users) : [];
    const ends = users.map((user, i) => [user, this.endOf(user, texts[i])] as const);
    return new Map(ends.filter((end): end is [string, number] => end[1] !== null));
  }

  private endOf(user: string, text: string | null): number | null {
    if (text === null) return null;
    const before = this.opened.get(user);
    if (before?.text === text) return before.at;
    const place = placeOf(this.connection.keys.ssoEnds(), user);
    const at = this.connection.open(SUPERVISOR, place, text, ssoEnd)?.value.at ?? null;
    this.opened.set(user, { text, at });
    return at;
  }
}
