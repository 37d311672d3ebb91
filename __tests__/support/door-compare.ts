import http, { type IncomingMessage } from 'node:http';
import http2 from 'node:http2';
import { type Asked, isAnnounced } from './door-requests';
import type { Got, World } from './door-world';

/** Sends a request both ways, and says what differs. */

export type Outcome = 'taken' | 'left' | 'refused';

export interface Compared {
  outcome: Outcome;
  /** Empty: nothing. */
  different: string[];
}

interface Answer {
  status: number;
  fields: Array<readonly [string, string]>;
  body: string;
}

/** Connections of visitors, which are kept. */
export class Visitors {
  readonly #agents = new Map<string, http.Agent>();
  readonly #sessions = new Map<string, http2.ClientHttp2Session>();

  constructor(private readonly world: World) {}

  async compare(id: string, asked: Asked): Promise<Compared> {
    const { door, module, atWorker, atModule } = this.world;
    const [one, other] = await Promise.all([
      this.#ask(module, `${id}-module`, normal(asked)),
      this.#ask(door, `${id}-door`, asked),
    ]);
    const direct = atWorker.get(`${id}-module`);
    const through = atWorker.get(`${id}-door`);
    const left = atModule.get(`${id}-door`);
    for (const key of [`${id}-module`, `${id}-door`]) {
      atWorker.delete(key);
      atModule.delete(key);
    }
    const outcome = through && /^door(?:-again)?$/.test(viaOf(through) ?? '') ? 'taken' : left ? 'left' : 'refused';
    if (outcome === 'refused') {
      const isRight = other.status >= 400 && other.status < 500 && !through;
      return { outcome, different: isRight ? [] : [`refused with ${other.status}`] };
    }
    const different = [
      ...(asked.http2 ? answersDiffer(merged(one), merged(other)) : answersDiffer(one, other)),
      ...(left ? leftDiffers(asked, left) : []),
      ...gotDiffers(direct && joined(direct), through && joined(through), left !== undefined),
    ];
    return { outcome, different };
  }

  #ask(port: number, id: string, asked: Asked): Promise<Answer> {
    return asked.http2 ? this.#askHttp2(port, id, asked) : this.#askHttp1(port, id, asked);
  }

  #askHttp1(port: number, id: string, asked: Asked, isLast = false): Promise<Answer> {
    const { method, target, fields, body, from } = asked;
    const again = () => this.#askHttp1(port, id, asked, true);
    const key = `${port} ${from}`;
    const agent = this.#agents.get(key) ?? new http.Agent({ keepAlive: true, maxSockets: 16 });
    this.#agents.set(key, agent);
    return new Promise((resolve) => {
      let head: Omit<Answer, 'body'> = { status: 0, fields: [] };
      const request = http.request({
        ...{
          host: '127.0.0.1',
          port,
          localAddress: from,
          method,
          path: target,
          setHost: false,
          agent: isLast ? false : agent,
        },
        headers: [...fields, ['X-Id', id]].flat() as never,
      });
      request.on('response', async (response) => {
        head = headIn(response);
        resolve(await answerIn(response));
      });
      request.on('upgrade', (response, socket) => {
        socket.on('error', () => {}).destroy();
        resolve({ ...headIn(response), body: '' });
      });
      // The door may have closed a connection that was kept, after what it has refused there.
      request.on('error', () =>
        // A refusal of HEAD may have a body, which the client does not take.
        resolve(request.reusedSocket && !isLast && !head.status ? again() : { ...head, body: '' }),
      );
      request.end(Buffer.from(body, 'latin1'));
    });
  }

  #askHttp2(port: number, id: string, { method, target, fields, body, from }: Asked): Promise<Answer> {
    const key = `${port} ${from}`;
    let session = this.#sessions.get(key);
    if (!session || session.destroyed || session.closed) {
      session = http2.connect(`http://127.0.0.1:${port}`, { localAddress: from } as object).on('error', () => {});
      this.#sessions.set(key, session);
    }
    const headers: http2.OutgoingHttpHeaders = { ':method': method, ':path': target, 'x-id': id };
    for (const [name, value] of fields) {
      const lower = name.toLowerCase();
      if (lower === 'host') headers[':authority'] = value;
      else headers[lower] = lower in headers ? [headers[lower], value].flat().map(String) : value;
    }
    return new Promise((resolve) => {
      const nothing = () => resolve({ status: 0, fields: [], body: '' });
      let stream: http2.ClientHttp2Stream;
      try {
        stream = session.request(headers, { endStream: body === '' });
      } catch {
        return nothing();
      }
      let head: Answer = { status: 0, fields: [], body: '' };
      const chunks: Buffer[] = [];
      stream.on('response', (answered) => {
        const { ':status': status = 0, ...rest } = answered;
        const fields = Object.entries(rest).flatMap(([name, value]) =>
          [value ?? []].flat().map((each) => [name, String(each)] as const),
        );
        head = { status, fields, body: '' };
      });
      stream.on('data', (chunk) => chunks.push(chunk));
      stream.on('error', () => {});
      stream.on('close', () => resolve({ ...head, body: Buffer.concat(chunks).toString('latin1') }));
      if (body !== '') stream.end(Buffer.from(body, 'latin1'));
    });
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    for (const session of this.#sessions.values()) session.destroy();
  }
}

/**
 * What the standards make of a request, as HAProxy reads it: of both lengths `Content-Length` goes (RFC 9112 6.3; the module refuses both),
 * in HTTP/2 the default port goes (RFC 9110 4.2.3), and a body that nobody has announced comes in chunks.
 */
function normal({ fields, http2, ...asked }: Asked): Asked {
  const isChunked = fields.some(([name]) => name === 'Transfer-Encoding');
  const kept = fields.filter(([name]) => !isChunked || name !== 'Content-Length');
  if (asked.body !== '' && !isAnnounced(fields)) kept.push(['Transfer-Encoding', 'chunked']);
  const read = (name: string, value: string) => (http2 && name === 'Host' ? value.replace(/:80$/, '') : value);
  return { ...asked, fields: kept.map(([name, value]) => [name, read(name, value)]), http2: false };
}

const headIn = ({ statusCode = 0, rawHeaders }: IncomingMessage): Omit<Answer, 'body'> => ({
  status: statusCode,
  fields: Array.from(
    { length: rawHeaders.length / 2 },
    (_, i) => [rawHeaders[2 * i].toLowerCase(), rawHeaders[2 * i + 1]] as const,
  ),
});

async function answerIn(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk);
  } catch {}
  return { ...headIn(response), body: Buffer.concat(chunks).toString('latin1') };
}

const fieldOf = (got: Got, field: string): string | undefined => got.fields.find(([name]) => name === field)?.[1];
const viaOf = (got: Got) => fieldOf(got, 'x-app-supervisor-via');

/** Of the connection, or written anew by each server. */
const OF_CONNECTION = /^(?:date|connection|keep-alive|transfer-encoding|x-id)$/;
/** Written with a secret of its own each time. */
const SECRET = /(?:state|challenge)=[^&]*|nb_sso_[0-9a-f]+_|=[\w-]{43};/g;

const told = (fields: Answer['fields'], ignored: RegExp): string[] =>
  fields
    .filter(([name, value]) => !ignored.test(name) && !(name === 'content-length' && value === '0'))
    .map(([name, value]) => `${name}: ${value.trim().replace(SECRET, '')}`)
    .sort();

const differ = (what: string, one: unknown, other: unknown): string[] => {
  if (JSON.stringify(one) === JSON.stringify(other)) return [];
  const [mine, others] = [one, other].map((each) => (Array.isArray(each) ? each : [each]));
  const only = (all: unknown[], those: unknown[]) => JSON.stringify(all.filter((each) => !those.includes(each)));
  return [`${what}: ${only(mine, others)} through the module, ${only(others, mine)} through the door`];
};

/** Repeated fields as one: Node's client of HTTP/2 joins them. */
const merged = ({ fields, ...answer }: Answer): Answer => {
  const byName = new Map<string, string>();
  for (const [name, value] of fields) byName.set(name, byName.has(name) ? `${byName.get(name)}, ${value}` : value);
  return { ...answer, fields: [...byName] };
};

function answersDiffer(one: Answer, other: Answer): string[] {
  const isUpgrade = one.status === 101;
  const ignored = isUpgrade ? /^(?:date|connection|x-id|sec-websocket-accept)$/ : OF_CONNECTION;
  return [
    ...differ('status', one.status, other.status),
    ...differ('answer', told(one.fields, ignored), told(other.fields, ignored)),
    ...differ('body of the answer', one.body, other.body),
  ];
}

const FORWARDED = /^(?:forwarded|x-real-ip|x-forwarded-.*)$/;

/** What is left to the module comes as it was sent, but for the fields that say who forwarded it. */
function leftDiffers({ method, target, fields, http2: isHttp2 }: Asked, left: Got): string[] {
  const ignored = new RegExp(
    `${FORWARDED.source}|${OF_CONNECTION.source}|^(?:content-length|te|upgrade|keep-alive|proxy-connection)$`,
  );
  // Node's client sends fields as UTF-8 where it does not wait for the body.
  const expects = fields.some(([name]) => name === 'Expect');
  const bytes = (value: string) => (expects ? Buffer.from(value).toString('latin1') : value);
  const sent = fields.map(([name, value]) => [name.toLowerCase(), bytes(value.trim())] as const);
  return [
    ...differ('method', method, left.method),
    ...differ('target', target, left.url),
    ...(isHttp2 ? [] : differ('fields left', told(sent, ignored), told(left.fields, ignored))),
  ];
}

/** Cookies in several fields are one for HTTP/2, and for readers. */
const joined = (got: Got): Got => {
  const cookies = got.fields.filter(([name]) => name === 'cookie').map(([, value]) => value);
  const others = got.fields.filter(([name]) => name !== 'cookie');
  return { ...got, fields: cookies.length ? [...others, ['cookie', cookies.join('; ')]] : others };
};

/** @param isLeft then the module has the door before it, as one more address */
function gotDiffers(direct: Got | undefined, through: Got | undefined, isLeft: boolean): string[] {
  if (!direct || !through) return differ('Worker', direct?.by ?? 'none', through?.by ?? 'none');
  const plain = (got: Got) =>
    told(got.fields, /^(?:x-app-supervisor-via|x-id|connection|content-length|transfer-encoding|keep-alive)$/).map(
      (field) => (isLeft && got === through ? field.replace(/^(x-forwarded-for: .*), 127\.0\.0\.1$/, '$1') : field),
    );
  return [
    ...differ('Worker', direct.by, through.by),
    ...differ('method', direct.method, through.method),
    ...differ('target', direct.url, through.url),
    ...differ('fields', plain(direct), plain(through)),
    ...differ('body', direct.body, through.body),
  ];
}
