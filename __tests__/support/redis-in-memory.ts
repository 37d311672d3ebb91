import net from 'node:net';
import { Duplex } from 'node:stream';
import { vi } from 'vitest';

/**
 * A Redis without a network, which answers what connections are probed with: nothing of it takes time, so that whatever
 * takes time by a clock turned by hand is the client's own.
 */
export class RedisInMemory {
  /** Nothing is answered any more on connections that are open now or opened meanwhile. */
  isSilent = false;
  role: 'master' | 'slave' = 'master';
  /** What it says to changes, such as `OOM …`. */
  refusal: string | null = null;
  /** Of the server that new connections reach. */
  address = '127.0.0.1';
  /** The names of all commands that were answered. */
  readonly commands: string[] = [];
  private readonly open = new Set<Connection>();

  /** Every connection that this process makes leads here, until mocks are restored. */
  listen(): this {
    vi.spyOn(net, 'createConnection').mockImplementation((() => {
      const made = new Connection(this, this.address);
      this.open.add(made);
      return made.once('close', () => this.open.delete(made));
    }) as never);
    return this;
  }

  /** How many connections are open to its present address, and to no other. */
  get connections(): number {
    const all = [...this.open];
    return all.every(({ remoteAddress }) => remoteAddress === this.address) ? all.length : 0;
  }

  answer([name, ...args]: string[]): string {
    this.commands.push(name.toLowerCase());
    const says: Record<string, () => string> = {
      info: () => bulk(`redis_version:7.4.0\r\nrole:${this.role}\r\n`),
      set: () => (this.refusal ? `-${this.refusal}\r\n` : '+OK\r\n'),
      eval: () => RENEWED,
      evalsha: () => RENEWED,
      subscribe: () => args.map((channel, at) => `*3\r\n${bulk('subscribe')}${bulk(channel)}:${at + 1}\r\n`).join(''),
    };
    return says[name.toLowerCase()]?.() ?? '+OK\r\n';
  }
}

const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/** As much of a socket as ioredis uses. */
class Connection extends Duplex {
  readonly connecting = false;
  /** Bytes that were dropped do not come later. */
  private isCut = false;

  constructor(
    private readonly server: RedisInMemory,
    readonly remoteAddress: string,
  ) {
    super();
  }

  override _read(): void {}

  override _write(data: Buffer, _: string, done: () => void): void {
    this.isCut ||= this.server.isSilent;
    // Arrays of texts without line breaks: *2 $3 GET $3 key.
    for (const command of this.isCut
      ? []
      : String(data)
          .split(/^\*\d+\r\n/m)
          .slice(1)) {
      this.push(this.server.answer(command.split('\r\n').filter((_, at) => at % 2 === 1)));
    }
    done();
  }

  override _final(done: () => void): void {
    // One that vanished does not confirm the end of a connection.
    if (!this.isCut && !this.server.isSilent) this.push(null);
    done();
  }

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }
}
/** What the script that announces an environment answers: that it was known. */
const RENEWED = `*2\r\n${bulk('me')}:0\r\n`;
