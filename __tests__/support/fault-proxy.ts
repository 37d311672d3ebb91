import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import httpProxy from 'http-proxy';
import { HOST } from '../../scripts/fleet';

/** What stands before a server and lets all through: requests always, WebSockets while they are allowed. */
export interface FaultProxy {
  url: string;
  /** WebSockets that were asked for and refused. */
  readonly refused: number;
  /** Without them, those that are open end as well. */
  allowWebSockets(through: boolean): void;
  close(): void;
}

export async function startFaultProxy(to: string): Promise<FaultProxy> {
  const proxy = httpProxy.createProxyServer({ target: to });
  proxy.on('error', (_, __, answer) => answer.destroy());
  const sockets = new Set<Duplex>();
  let areAllowed = true;
  let refused = 0;
  const endSockets = () => {
    for (const socket of sockets) socket.destroy();
  };
  const server = http.createServer((request, response) => proxy.web(request, response));
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    if (!areAllowed) {
      refused += 1;
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    proxy.ws(request, socket, head);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, HOST, resolve));
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}`,
    get refused() {
      return refused;
    },
    allowWebSockets(through) {
      areAllowed = through;
      if (!through) endSockets();
    },
    close() {
      endSockets();
      server.close();
      server.closeAllConnections();
      proxy.close();
    },
  };
}
