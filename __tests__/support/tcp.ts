import net, { type AddressInfo, type Socket } from 'node:net';
import { HOST } from '../../scripts/fleet';

export interface Listening {
  port: number;
  /** Connections that were made, and those of them that are open. */
  connections(): number;
  open(): number;
  close(): void;
}

/** A server that takes connections and never says a word: what a firewall or a hung machine looks like. */
export const silentServer = (): Promise<Listening> => listen(0, () => {});

export interface Detour extends Listening {
  /** From now on no answer of the server arrives. */
  holdBack(): void;
  /** How many bytes are held back. */
  heldBack(): number;
  /** The server loses its connections; who has made them does not hear of it. */
  cutOff(): void;
  /** What was held back arrives. */
  letGo(): void;
}

/** Another way to the same server, for as long as it is open. */
export async function detour(port: number, to: number): Promise<Detour> {
  const links: Array<{ socket: Socket; there: Socket; held: Buffer | null }> = [];
  const listening = await listen(port, (socket) => {
    const there = net.connect(to, HOST);
    links.push({ socket, there, held: null });
    there.on('error', () => socket.destroy());
    socket.on('close', () => there.destroy());
    socket.pipe(there).pipe(socket);
  });
  return {
    ...listening,
    holdBack() {
      for (const { socket, there } of links) there.unpipe(socket);
    },
    heldBack: () => links.reduce((sum, { there }) => sum + there.readableLength, 0),
    cutOff() {
      for (const link of links) {
        link.held = link.there.read();
        link.there.destroy();
      }
    },
    letGo() {
      for (const { socket, held } of links) if (held) socket.write(held);
    },
  };
}

async function listen(port: number, serve: (socket: Socket) => void): Promise<Listening> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = net.createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    serve(socket);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, HOST, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    open: () => sockets.size,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
