import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppSupervisorError } from '../../src/server/errors';
import { keyId } from '../../src/server/protocol/keyring';
import { fingerprint, newSecret, seal, unseal } from '../../src/server/protocol/secrets';

const KEY = Buffer.alloc(32, 1);
const OTHER = Buffer.alloc(32, 2);

function refusal(work: () => unknown): AppSupervisorError {
  try {
    work();
  } catch (error) {
    if (error instanceof AppSupervisorError) return error;
    throw error;
  }
  throw new Error('It was not refused.');
}

describe('sealing', () => {
  it('returns the original value, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.nat(255), (plain, byte) => {
        const key = Buffer.alloc(32, byte);
        // UTF-8 has no lone surrogates: no database password does either.
        const wellFormed = Buffer.from(plain, 'utf8').toString('utf8');
        expect(unseal(seal(wellFormed, key), key, 'crm')).toBe(wellFormed);
      }),
    );
  });

  it('invariant 8: shows neither the text nor the key, and the same text never looks the same', () => {
    const sealed = seal('hunter2', KEY);
    expect(sealed).toMatch(/^sealed:[0-9a-f]{12}:[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(sealed).not.toContain('hunter2');
    expect(sealed).not.toContain(Buffer.from('hunter2').toString('base64url'));
    expect(sealed).not.toContain(KEY.toString('hex').slice(0, 12));
    expect(seal('hunter2', KEY)).not.toBe(sealed);
  });

  it('is plain text without a key, and plain text is read with one: a key may be added later', () => {
    expect(seal('hunter2', null)).toBe('hunter2');
    expect(unseal('hunter2', KEY, 'crm')).toBe('hunter2');
    expect(unseal('hunter2', null, 'crm')).toBe('hunter2');
  });

  it.each(['sealed:hunter2', 'plain:hunter2', 'plain:sealed:'])('works for a password like %s, too', (plain) => {
    for (const kept of [null, KEY]) expect(unseal(seal(plain, kept), KEY, 'crm')).toBe(plain);
  });
});

describe('unsealing is refused with a clear error without the secret', () => {
  const sealed = seal('hunter2', KEY);
  const [head, body] = [sealed.slice(0, sealed.lastIndexOf(':') + 1), sealed.slice(sealed.lastIndexOf(':') + 1)];
  const [iv, tag, text] = body.split('.');
  const flip = (part: string) => (part[0] === 'A' ? 'B' : 'A') + part.slice(1);
  it.each<[string, string, Buffer | null]>([
    ['with another key', sealed, OTHER],
    ['without a key', sealed, null],
    ['when the text was changed', `${head}${iv}.${tag}.${flip(text)}`, KEY],
    ['when the tag was changed', `${head}${iv}.${flip(tag)}.${text}`, KEY],
    ['when the tag was cut', `${head}${iv}.${tag.slice(0, 6)}.${text}`, KEY],
    ['when parts are missing', `${head}${iv}`, KEY],
    ['when all is missing', head, KEY],
    ['when there is nothing but the prefix', 'sealed:', KEY],
  ])('%s', (_, value, key) => {
    const error = refusal(() => unseal(value, key, 'crm'));
    expect(error.code).toBe('KEY_MISSING');
    expect(error.message).toContain('"crm"');
    expect(JSON.stringify([error.message, error.params])).not.toContain('hunter2');
  });

  it('and with the id of the required key', () => {
    expect(refusal(() => unseal(sealed, OTHER, 'crm')).message).toContain(keyId(KEY));
  });
});

describe('fingerprints', () => {
  it('distinguish values without revealing them', () => {
    const value = randomBytes(8).toString('hex');
    expect(fingerprint(value)).toMatch(/^[0-9a-f]{12}$/);
    expect(fingerprint(value)).toBe(fingerprint(value));
    expect(fingerprint(value)).not.toBe(fingerprint(`${value}x`));
    expect(keyId(KEY)).not.toBe(keyId(OTHER));
  });

  it('new secrets are long and never the same', () => {
    const secrets = Array.from({ length: 100 }, newSecret);
    expect(new Set(secrets).size).toBe(100);
    for (const secret of secrets) expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  });
});
