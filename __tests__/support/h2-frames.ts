import net from 'node:net';

/** Requests of HTTP/2 that no client library sends: names and values are written as they are. */

/** Of which the whole request consists: pseudo fields and others, in this order. */
export type H2Fields = ReadonlyArray<readonly [name: string, value: string]>;

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const [DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY] = [0, 1, 3, 4, 7];
const [END_STREAM, END_HEADERS, ACK] = [1, 4, 1];

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A string literal without Huffman coding (RFC 7541, 5.2). */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length: number[] = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

/** Literal fields that no table keeps (6.2.2). */
const block = (fields: H2Fields): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));

/**
 * Sends one request on a connection of its own, without TLS.
 * @param body its DATA; absent: none
 * @returns what came as DATA, once the stream has ended, or it was refused, or the connection was closed
 */
export function askH2(port: number, fields: H2Fields, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    let text = '';
    const socket = net.connect(port, '127.0.0.1');
    const end = () => {
      socket.destroy();
      resolve(text);
    };
    socket.on('error', () => end());
    socket.on('close', () => end());
    socket.setTimeout(30_000, () => reject(new Error('no answer')));
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
      while (received.length >= 9) {
        const length = received.readUIntBE(0, 3);
        if (received.length < 9 + length) return;
        const [type, flags, stream] = [received[3], received[4], received.readUInt32BE(5)];
        const payload = received.subarray(9, 9 + length);
        received = received.subarray(9 + length);
        if (type === SETTINGS && !(flags & ACK)) socket.write(frame(SETTINGS, ACK, 0));
        if (type === DATA && stream === 1) text += payload.toString('latin1');
        const isOver = (type === DATA || type === HEADERS) && stream === 1 && flags & END_STREAM;
        if (isOver || type === RST_STREAM || type === GOAWAY) return end();
      }
    });
    const ends = body === undefined ? END_STREAM : 0;
    socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), frame(HEADERS, END_HEADERS | ends, 1, block(fields))]));
    if (body !== undefined) socket.write(frame(DATA, END_STREAM, 1, Buffer.from(body, 'latin1')));
  });
}
