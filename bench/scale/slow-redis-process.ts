import net, { type AddressInfo, type Socket } from 'node:net';
import { HOST } from '../../scripts/fleet/ports';

/** The process of `SlowRedis`: passes everything on after a delay, in its order. Arguments: the port of the server, ms each way. */

const [port, delay] = process.argv.slice(2).map(Number);
/** The beginning of a command: an array whose first element is its name. */
const COMMAND = /\*\d+\r\n\$\d+\r\n/g;
let commands = 0;

function pass(from: Socket, to: Socket, onData?: (chunk: Buffer) => void): void {
  from.setNoDelay(true);
  // Timers of one duration end in the order in which they were set.
  from.on('data', (chunk) => {
    onData?.(chunk);
    setTimeout(() => to.write(chunk), delay);
  });
  from.on('close', () => setTimeout(() => to.destroy(), delay));
  from.on('error', () => undefined);
}

const server = net.createServer((client) => {
  const redis = net.connect(port, HOST);
  pass(client, redis, (chunk) => {
    commands += chunk.toString('latin1').match(COMMAND)?.length ?? 0;
  });
  pass(redis, client);
});
server.listen(0, HOST, () => process.send?.((server.address() as AddressInfo).port));
process.on('message', () => process.send?.(commands));
process.on('disconnect', () => process.exit());
