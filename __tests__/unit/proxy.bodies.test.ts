import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it, vi } from 'vitest';
import { BOUNDS } from '../../src/server/config/bounds';
import { boundBody, isForm } from '../../src/server/proxy/bodies';
import { FormMeter } from '../../src/server/proxy/multipart';
import { hasToken, isSignedIn } from '../../src/server/proxy/tokens';
import { FakeClock } from '../support/clock';
import { SeededRandom } from '../support/random';

/** The parser that NocoBase reads forms with (multer). */
const busboy = createRequire(import.meta.url)('busboy');

const bounds = { ...BOUNDS, anonymousBody: 1_000, anonymousUpload: 10_000 };
const FORM = 'multipart/form-data; boundary=edge';

const part = (head: string, body: string) => `--edge\r\n${head}\r\n\r\n${body}\r\n`;
const file = (body: string, more = '') =>
  part(`Content-Disposition: form-data; name="file"; filename="a.png"${more}\r\nContent-Type: image/png`, body);
const field = (body: string) => part('Content-Disposition: form-data; name="x"', body);
const END = '--edge--\r\n';

/** A body as it arrives: in parts of `size`. @returns what is read of it, and why no more */
function arrive(headers: Record<string, string>, body: string, { size = 700, isAnonymous = true } = {}) {
  let read = '';
  const push = (chunk: Buffer | null) => {
    read += chunk ?? '';
    return true;
  };
  const req = { headers, push, once: vi.fn(), socket: { bytesRead: 0 } };
  const refuse = vi.fn();
  const rules = { bounds, clock: new FakeClock(), isAnonymous: () => isAnonymous, gathers: false, refuse };
  const isBegun = boundBody(req as never, rules);
  if (isBegun) {
    const bytes = Buffer.from(body, 'latin1');
    for (let at = 0; at < bytes.length; at += size) req.push(bytes.subarray(at, at + size));
    req.push(null);
  }
  expect(refuse.mock.calls.length).toBeLessThanOrEqual(1);
  return { read, refused: refuse.mock.calls[0]?.join(' ') ?? null };
}

describe('a body of somebody who is not signed in', () => {
  const chunked = { 'transfer-encoding': 'chunked', 'content-type': 'application/json' };
  const BODY = ['BODY_TOO_LARGE anonymous_body'];
  const UPLOAD = ['BODY_TOO_LARGE anonymous_upload'];
  const ENCODED = ['BODY_ENCODED anonymous_body'];

  it.each<[what: string, headers: Record<string, string>, body: string, refused?: string[]]>([
    ['of the length that is allowed', { 'content-length': '1000' }, 'x'.repeat(1_000)],
    ['that says that it is longer', { 'content-length': '1001' }, '', BODY],
    ['without a length', chunked, 'x'.repeat(1_000)],
    ['without a length, and too long', chunked, 'x'.repeat(1_001), BODY],
    [
      'of many values',
      { 'content-length': '100', 'content-type': 'application/json' },
      `{"a":[${'[],'.repeat(40)}0]}`,
      BODY,
    ],
    ['of many texts', chunked, `["${'{[,'.repeat(100)}\\"${','.repeat(100)}"${',1'.repeat(28)}]`],
    ['of many values, and no JSON', { ...chunked, 'content-type': 'text/plain' }, '[],'.repeat(200)],
    ['in gzip', { ...chunked, 'content-encoding': 'gzip' }, '', ENCODED],
    ['in deflate', { ...chunked, 'content-encoding': 'deflate' }, '', ENCODED],
    ['in br', { 'content-length': '50', 'content-encoding': 'br' }, '', ENCODED],
    ['in zstd', { ...chunked, 'content-encoding': 'zstd' }, '', ENCODED],
    ['in several', { ...chunked, 'content-encoding': 'identity, gzip' }, '', ENCODED],
    ['in none', { ...chunked, 'content-encoding': 'identity' }, 'x'],
    [
      'that is a form of fields',
      { 'content-length': '1001', 'content-type': 'application/x-www-form-urlencoded' },
      '',
      BODY,
    ],
    [
      'that is almost a form',
      { 'content-length': '1001', 'content-type': 'multipart/form-data-x; boundary=edge' },
      '',
      BODY,
    ],
    [
      'that is another multipart',
      { 'content-length': '1001', 'content-type': 'multipart/mixed; boundary=edge' },
      '',
      BODY,
    ],
    ['with a file', { ...chunked, 'content-type': FORM }, `${file('x'.repeat(8_000))}${END}`],
    [
      'with a file and a length',
      { 'content-length': '8000', 'content-type': FORM },
      `${file('x'.repeat(7_700))}${END}`,
    ],
    ['with too large a file', { ...chunked, 'content-type': FORM }, `${file('x'.repeat(10_000))}${END}`, UPLOAD],
    ['with a file of a larger length', { 'content-length': '10001', 'content-type': FORM }, '', UPLOAD],
    [
      'with values beside its file',
      { ...chunked, 'content-type': FORM },
      `${file('x')}${field('[]'.repeat(600))}${END}`,
      UPLOAD,
    ],
    [
      'with values before its file',
      { 'content-length': '2000', 'content-type': FORM },
      `${field('x'.repeat(1_000))}${file('x')}${END}`,
      UPLOAD,
    ],
    [
      'with a file in gzip',
      { ...chunked, 'content-type': FORM, 'content-encoding': 'gzip' },
      '',
      ['BODY_ENCODED anonymous_upload'],
    ],
    [
      'with a boundary of no usual shape',
      { ...chunked, 'content-type': `${FORM}; x=y` },
      `${file('x'.repeat(1_001))}${END}`,
      UPLOAD,
    ],
  ])('%s', (_, headers, body, [refused] = []) => {
    const answer = arrive(headers, body);
    expect(answer.refused).toBe(refused ?? null);
    if (!refused) expect(answer.read).toBe(`${body}`);
    expect(arrive(headers, body, { isAnonymous: false })).toEqual({ refused: null, read: body });
  });

  it('gets no further than what is allowed', () => {
    expect(arrive(chunked, 'x'.repeat(5_000), { size: 300 }).read).toHaveLength(900);
  });

  it('is no matter where there is none', () => {
    expect(arrive({ 'content-encoding': 'gzip' }, '').refused).toBeNull();
  });
});

describe('a form’s bytes outside of files', () => {
  const outsideOf = (body: string, size: number, type = FORM) => {
    const meter = new FormMeter(type);
    const bytes = Buffer.from(body, 'latin1');
    let outside = 0;
    for (let at = 0; at < bytes.length; at += size) outside = meter.add(bytes.subarray(at, at + size));
    return outside;
  };
  const LONG = 'x'.repeat(5_000);

  it.each([1, 7, 64, 100_000])('are its heads and its fields, in chunks of %i bytes', (size) => {
    for (const type of [FORM, 'multipart/form-data;boundary="edge"']) {
      expect(outsideOf(`${file(LONG)}${END}`, size, type)).toBeLessThan(300);
      expect(outsideOf(`${file(LONG, "; filename*=utf-8''a%20b")}${END}`, size, type)).toBeLessThan(300);
      expect(outsideOf(`${field(LONG)}${END}`, size, type)).toBeGreaterThan(LONG.length);
      expect(outsideOf(`${file(LONG)}${field(LONG)}${file(LONG)}${END}`, size, type)).toBeLessThan(LONG.length + 700);
    }
  });

  it.each([
    ['a name that looks like a file', part('Content-Disposition: form-data; name="; filename=\\"a"', LONG)],
    ['a file without a name', part('Content-Disposition: form-data; name="x"; filename=""', LONG)],
    ['another field of the head', part('Content-Disposition: form-data; name="x"\r\nX: ; filename="a"', LONG)],
    [
      'two dispositions',
      part('Content-Disposition: form-data; name="x"\r\nContent-Disposition: form-data; name="x"; filename="a"', LONG),
    ],
    ['a folded line', part('Content-Disposition: form-data; name="x"\r\n\t; filename="a"', LONG)],
    ['a text before the first part', `text\r\n${file(LONG)}`],
    ['a delimiter in a head', `--edge\r\nContent-Disposition: form-data; name="x"\r\n${file(LONG)}`],
    ['a delimiter right behind a head', `--edge\r\nContent-Disposition: form-data; name="x"\r\n\r\n${file(LONG)}`],
    ['a head without an end', `--edge\r\nX: ${LONG}`],
    ['no delimiter', LONG],
  ])('are all of it with %s', (_, body) => {
    for (const size of [1, 50, 100_000]) expect(outsideOf(body, size)).toBeGreaterThan(LONG.length - 10);
  });

  it('are never fewer than NocoBase reads into fields', () => {
    const random = new SeededRandom(31);
    const PIECES = [
      '\r\n',
      '--edge',
      '--',
      '\r\n--edge\r\n',
      '\r\n\r\n',
      ' ',
      ';',
      '"',
      'filename="a"',
      'name="x"',
      'x'.repeat(60),
    ];
    const any = <T>(of: T[]): T => of[Math.floor(random.fraction() * of.length)];
    let read = 0;
    for (let round = 0; round < 1_000; round++) {
      let body = Array.from({ length: 3 }, () => any([file, field])('y'.repeat(40))).join('') + END;
      for (let change = 0; change < 1 + (round % 3); change++) {
        const at = Math.floor(random.fraction() * body.length);
        body = body.slice(0, at) + any(PIECES) + body.slice(at + any([0, 0, 1, 2, 20]));
      }
      const seen = fieldsOf(body);
      read += seen;
      // What it has read when it comes upon a fault.
      expect(outsideOf(body, any([3, 40, 4_000])), JSON.stringify(body)).toBeGreaterThanOrEqual(seen);
    }
    expect(read).toBeGreaterThan(3_000);
  });

  /** How many bytes of fields the parser hands over. */
  function fieldsOf(body: string): number {
    let read = 0;
    const parser = busboy({ headers: { 'content-type': FORM } });
    parser.on('field', (name: string, value: string) => {
      read += (name?.length ?? 0) + value.length;
    });
    parser.on('file', (_: string, stream: { resume(): void }) => stream.resume());
    parser.on('error', () => undefined);
    parser.write(Buffer.from(body, 'latin1'));
    return read;
  }
});

describe('who is signed in', () => {
  const NOW = 1_800_000_000_000;
  const SECRET = 'of the app';
  const token = (payload: object, secret = SECRET) => {
    const text = ['{"alg":"HS256","typ":"JWT"}', JSON.stringify(payload)]
      .map((json) => Buffer.from(json).toString('base64url'))
      .join('.');
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const at = (days: number) => NOW / 1_000 + days * 86_400;
  const isIn = (value: string) =>
    isSignedIn({ headers: { authorization: `Bearer ${value}` }, url: '/' }, () => SECRET, NOW);

  it.each<[what: string, value: string, expected: boolean]>([
    ['a session', token({ userId: 1, exp: at(1) }), true],
    ['an API key', token({ userId: 'abc', roleName: 'root' }), true],
    ['a session that can be renewed', token({ userId: 1, exp: at(-6) }), true],
    ['one that cannot', token({ userId: 1, exp: at(-8) }), false],
    ['the token of a public form', token({ formKey: 'x', collectionName: 'y', exp: at(1) }), false],
    ['a session of another app', token({ userId: 1, exp: at(1) }, 'of another'), false],
    ['what is signed, and no JSON', `eyJ.x.${createHmac('sha256', SECRET).update('eyJ.x').digest('base64url')}`, false],
    ['junk', 'eyJ.x.y', false],
    ['nothing', '', false],
  ])('%s', (_, value, expected) => {
    expect(isIn(value)).toBe(expected);
    expect(isSignedIn({ headers: {}, url: `/x?a=b&token=${value}` }, () => SECRET, NOW)).toBe(expected);
    expect(isSignedIn({ headers: {}, url: `/x?token=${value}` }, () => null, NOW)).toBe(false);
  });

  it('is asked of the header first, as NocoBase does', () => {
    const url = `/x?token=${token({ userId: 1, exp: at(1) })}`;
    expect(isSignedIn({ headers: { authorization: 'Bearer x' }, url }, () => SECRET, NOW)).toBe(false);
    expect(hasToken({ headers: {}, url })).toBe(true);
    expect(hasToken({ headers: { authorization: 'Bearer x' }, url })).toBe(false);
  });
});

it('a form is what its type says, to the letter', () => {
  const of = (type: string) => isForm({ headers: { 'content-type': type } });
  expect([FORM, 'Multipart/Form-Data', ' multipart/form-data ;x'].map(of)).toEqual([true, true, true]);
  expect(['multipart/form-datax', 'multipart/form-data+json', 'application/json', ''].some(of)).toBe(false);
});
