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

/** @param host address to listen on */
export async function faultyLink(to: number, host = HOST, port = 0): Promise<FaultyLink> {
  const sockets = new Set<Socket>();
  const ways = new Set<{ isCut: boolean }>();
  let target = to;
  let isSwallowing = false;
  let latency = 0;
  const lead = (from: Socket, into: Socket, way: { isCut: boolean }) => {
    from.on('data', (data) => {
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
    const way = { isCut: isSwallowing };
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
    lead(socket, there, way);
    lead(there, socket, way);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    swallow() {
      isSwallowing = true;
      for (const way of ways) way.isCut = true;
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
