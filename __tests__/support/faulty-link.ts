import net, { type AddressInfo, type Socket } from 'node:net';
import { HOST } from '../../scripts/fleet';

/**
 * A way to a server that fails as networks do: without a word. Connections on which anything was swallowed stay silent for
 * ever, as those to a machine that is gone; only new ones pass again.
 */
export interface FaultyLink {
  readonly port: number;
  /** Bytes are dropped in both directions, and nothing is closed. New connections are taken, and stay silent. */
  swallow(): void;
  /** Drops what comes on connections on which the client has once said this; all others pass. */
  swallowThose(saying: string): void;
  /** New connections pass again. */
  pass(): void;
  /** @param ms how much later an answer comes: half of it in each direction */
  delay(ms: number): void;
  /** New connections lead there; those that are open stay where they are. */
  leadTo(port: number): void;
  /** Of connections that are open. */
  open(): number;
  close(): void;
}

/** One connection. */
interface Way {
  isCut: boolean;
  /** The first that the client said. */
  head: string;
}

/** How much of it is kept. */
const HEAD = 2_000;

/** @param host address to listen on */
export async function faultyLink(to: number, host = HOST, port = 0): Promise<FaultyLink> {
  const sockets = new Set<Socket>();
  const ways = new Set<Way>();
  let target = to;
  let isSwallowing = false;
  let latency = 0;
  const lead = (from: Socket, into: Socket, way: Way, isClient: boolean) => {
    from.on('data', (data) => {
      if (isClient && way.head.length < HEAD) way.head += data.toString('latin1');
      const arrive = () => {
        if (!way.isCut && into.writable) into.write(data);
      };
      if (latency) setTimeout(arrive, latency / 2);
      else arrive();
    });
    from.on('close', () => {
      ways.delete(way);
      if (!way.isCut) into.destroy();
    });
  };
  const server = net.createServer((socket) => {
    const way = { isCut: isSwallowing, head: '' };
    ways.add(way);
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    if (way.isCut) return;
    const there = net.connect(target, HOST);
    sockets.add(there);
    there.setNoDelay(true);
    there.on('error', () => {});
    there.once('close', () => sockets.delete(there));
    lead(socket, there, way, true);
    lead(there, socket, way, false);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    swallow() {
      isSwallowing = true;
      for (const way of ways) way.isCut = true;
    },
    swallowThose(saying) {
      for (const way of ways) way.isCut ||= way.head.includes(saying);
    },
    pass() {
      isSwallowing = false;
    },
    delay(ms) {
      latency = ms;
    },
    leadTo(other) {
      target = other;
    },
    open: () => sockets.size,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
