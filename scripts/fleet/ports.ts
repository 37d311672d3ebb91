import net from 'node:net';

export const HOST = '127.0.0.1';

/** Whether nothing listens there. */
export const isFree = async (port: number): Promise<boolean> =>
  (await listen(port).catch(() => null))?.close() ?? false;

/** The preferred port, or any other if it is taken. */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred;
  const [port] = await freePorts(1);
  return port;
}

/** Different ports, all free now. */
export async function freePorts(count: number): Promise<number[]> {
  const held = await Promise.all(Array.from({ length: count }, () => listen(0)));
  await Promise.all(held.map((listener) => listener.close()));
  return held.map(({ port }) => port);
}

async function listen(port: number): Promise<{ port: number; close(): Promise<true> }> {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, HOST, resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve(true))),
  };
}
