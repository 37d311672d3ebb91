import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { bodyOf, Envelope, SUPERVISOR } from '../../src/server/protocol/envelope';
import { environmentKeyOf, fleetKeyOf, Keyring } from '../../src/server/protocol/keyring';
import { Refusals } from '../../src/server/protocol/refusals';
import { hasSealedSecrets, RecordSealer, Secrets, sealFor } from '../../src/server/protocol/secrets';
import { FLEET_SECRET, keyringOf, testEnvelope } from '../support/envelope';
import { recordOf } from '../support/fixtures';
import { type RecordedLog, recordedLog } from '../support/log';

/** What is signed, in whatever way it is forged: for each kind of signer. */

const SIGNERS = ['env_a', SUPERVISOR];
const OTHERS: Record<string, string[]> = { env_a: ['env_b', 'ENV_A', SUPERVISOR], [SUPERVISOR]: ['env_a'] };
const place = fc.string({ minLength: 1, maxLength: 30 }).filter((text) => !text.includes('\n'));
const body = fc.json();
const order = fc.nat(Number.MAX_SAFE_INTEGER);
const message = fc.record({ place, body, order });

let log: RecordedLog;
let envelope: Envelope;
beforeEach(() => {
  log = recordedLog();
  envelope = testEnvelope(log);
});

describe.each(SIGNERS)('a message signed by %s', (signer) => {
  it('is opened where it belongs, as it was signed', () => {
    fc.assert(
      fc.property(message, ({ place, body, order }) => {
        expect(envelope.open(signer, place, envelope.sign(signer, place, order, body))).toEqual({ order, body });
      }),
    );
    expect([...envelope.refusals.all()]).toEqual([]);
  });

  it('invariant 13: is not believed if anything of it was changed', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ place, body, order }, at, by) => {
        const text = envelope.sign(signer, place, order, body);
        const i = at % text.length;
        const changed = text.slice(0, i) + String.fromCharCode(text.charCodeAt(i) ^ by) + text.slice(i + 1);
        const opened = envelope.check(signer, place, changed);
        // The last digit of a signature may have bits that say nothing.
        if (typeof opened !== 'string') expect(opened).toEqual({ order, body });
        expect(typeof envelope.check(signer, place, `${text} `)).toBe('string');
        expect(typeof envelope.check(signer, place, text.slice(0, -1))).toBe('string');
      }),
    );
  });

  it('is not believed with another order, at another place, or as that of another', () => {
    fc.assert(
      fc.property(message, place, order, ({ place, body, order }, elsewhere, later) => {
        fc.pre(place !== elsewhere && order !== later);
        const text = envelope.sign(signer, place, order, body);
        expect(envelope.check(signer, elsewhere, text)).toBe('forged');
        expect(envelope.check(signer, place, text.replace(`.${order}.`, `.${later}.`))).toBe('forged');
        for (const other of OTHERS[signer]) expect(envelope.check(other, place, text)).toBe('forged');
      }),
    );
  });

  it('is not believed with another key, even if it names the right one', () => {
    const stranger = testEnvelope(log, keyringOf('another secret'));
    fc.assert(
      fc.property(message, ({ place, body, order }) => {
        const theirs = stranger.sign(signer, place, order, body);
        expect(envelope.check(signer, place, theirs)).toBe('key');
        const [, id] = envelope.sign(signer, place, order, body).split('.');
        expect(envelope.check(signer, place, theirs.replace(/\.[0-9a-f]{12}\./, `.${id}.`))).toBe('forged');
      }),
    );
  });

  it('is told apart from what older releases wrote, and from rubbish, and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.constant('signed1.000000000000.1.x.{}')), (text) => {
        expect(['unsigned', 'unreadable']).toContain(envelope.check(signer, 'somewhere', text));
      }),
    );
    expect(envelope.check(signer, 'somewhere', '{"name":"crm"}')).toBe('unsigned');
    expect(envelope.check(signer, 'somewhere', '17')).toBe('unreadable');
  });
});

describe('a request', () => {
  it('is read by nobody else, and nowhere else', () => {
    const stranger = testEnvelope(log, keyringOf('another secret'));
    fc.assert(
      fc.property(place, body, place, (place, body, elsewhere) => {
        fc.pre(place !== elsewhere);
        const text = envelope.encrypt('env_a', place, body);
        expect(envelope.decrypt('env_a', place, text)).toBe(body);
        if (body.length > 6) expect(text).not.toContain(body);
        expect(envelope.decrypt('env_b', place, text)).toBeNull();
        expect(envelope.decrypt('env_a', elsewhere, text)).toBeNull();
        expect(stranger.decrypt('env_a', place, text)).toBeNull();
        expect(envelope.decrypt('env_a', place, body)).toBeNull();
      }),
    );
  });
});

describe('what is refused', () => {
  it('is counted each time, and said once for each place and reason, without its content', () => {
    for (let i = 0; i < 3; i++) {
      expect(envelope.open('env_a', 'here', '{"password":"hunter2"}')).toBeNull();
      expect(envelope.open('env_a', 'there', 'hunter2')).toBeNull();
    }
    expect(new Map(envelope.refusals.all())).toEqual(
      new Map([
        ['unsigned', 3],
        ['unreadable', 3],
      ]),
    );
    expect(log.at('warn')).toHaveLength(2);
    expect(log.lines.join()).not.toContain('hunter2');
    expect(envelope.refusals.warnings()).toEqual([]);
  });

  it('is a warning on the page if somebody must have forged it', () => {
    const text = envelope.sign('env_a', 'here', 1, '{}');
    expect(envelope.open('env_a', 'there', text)).toBeNull();
    expect(envelope.refusals.warnings()).toEqual([{ code: 'REDIS_FORGED', params: { key: 'there', count: 1 } }]);
  });
});

describe('a Worker that has only the key of its environment', () => {
  const key = environmentKeyOf(fleetKeyOf(FLEET_SECRET), 'env_a');
  const keyring = () => new Keyring({ fleetKey: null, environment: { name: 'env_a', key }, atRest: null });
  const worker = () => new Envelope(keyring(), new Refusals(log, systemClock));

  it('signs for it and opens what is for it, and nothing of another environment', () => {
    const mine = worker();
    expect(envelope.open('env_a', 'here', mine.sign('env_a', 'here', 1, '{}'))).toEqual({ order: 1, body: '{}' });
    expect(mine.open('env_a', 'here', envelope.sign('env_a', 'here', 1, '{}'))).toEqual({ order: 1, body: '{}' });
    expect(mine.check('env_b', 'here', envelope.sign('env_b', 'here', 1, '{}'))).toBe('key');
    expect(() => mine.sign('env_b', 'here', 1, '{}')).toThrow('env_b');
    expect(() => mine.sign(SUPERVISOR, 'here', 1, '{}')).toThrow('Supervisor');
    expect(() => mine.encrypt('env_b', 'here', '{}')).toThrow('env_b');
  });

  it('believes the Supervisor once it has its public key, and cannot sign as it', () => {
    const mine = worker();
    const text = envelope.sign(SUPERVISOR, 'here', 1, '{}');
    expect(mine.check(SUPERVISOR, 'here', text)).toBe('key');
    mine.keyring.learn('not a key');
    mine.keyring.learn(envelope.keyring.publicKey!);
    expect(mine.check(SUPERVISOR, 'here', text)).toEqual({ order: 1, body: '{}' });
    expect(() => mine.sign(SUPERVISOR, 'here', 1, '{}')).toThrow('Supervisor');
  });

  it('does not change what a process with the key of the fleet believes', () => {
    envelope.keyring.learn(testEnvelope(log, keyringOf('another secret')).keyring.publicKey!);
    expect(envelope.check(SUPERVISOR, 'here', envelope.sign(SUPERVISOR, 'here', 1, '{}'))).toMatchObject({ order: 1 });
  });
});

describe('the key of an environment that was forgotten', () => {
  const keyOf = (floor: number) => environmentKeyOf(fleetKeyOf(FLEET_SECRET), 'env_a', floor);
  const worker = (floor: number) => {
    const keyring = new Keyring({ fleetKey: null, environment: { name: 'env_a', key: keyOf(floor) }, atRest: null });
    return new Envelope(keyring, new Refusals(log, systemClock));
  };

  it('is another one from then on, and the same as ever before', () => {
    expect(new Set([0, 1, 100].map((floor) => keyOf(floor).toString('hex'))).size).toBe(3);
    expect(keyOf(0)).toEqual(environmentKeyOf(fleetKeyOf(FLEET_SECRET), 'env_a'));
    expect(keyOf(100)).not.toEqual(environmentKeyOf(fleetKeyOf(FLEET_SECRET), 'env_b', 100));
  });

  it('invariant 13: signs nothing and opens nothing of the environment that has its name now', () => {
    const [before, now] = [worker(0), worker(100)];
    expect(envelope.check('env_a', 'here', before.sign('env_a', 'here', 1, '{}'))).toMatchObject({ order: 1 });
    envelope.keyring.raise('env_a', 100);
    // An older copy of the database does not bring it back.
    envelope.keyring.raise('env_a', 50);
    expect(envelope.check('env_a', 'here', before.sign('env_a', 'here', 1, '{}'))).toBe('key');
    expect(before.check('env_a', 'here', envelope.sign('env_a', 'here', 1, '{}'))).toBe('key');
    expect(before.decrypt('env_a', 'here', envelope.encrypt('env_a', 'here', '{}'))).toBeNull();
    expect(envelope.decrypt('env_a', 'here', before.encrypt('env_a', 'here', '{}'))).toBeNull();
    expect(envelope.check('env_a', 'here', now.sign('env_a', 'here', 1, '{}'))).toMatchObject({ order: 1 });
    const { publicKey } = envelope.keyring;
    const proof = envelope.keyring.proofFor('env_a', publicKey!);
    expect([before, now].map(({ keyring }) => keyring.proofFor('env_a', publicKey!) === proof)).toEqual([false, true]);
  });
});

describe('the secrets of a record', () => {
  const keyring = keyringOf();
  const key = keyring.of('env_a')!;
  const sealer = () => new RecordSealer(keyring);
  const secrets = (environment = 'env_a') => new Secrets(keyring, environment);
  const record = recordOf({
    jwtSecret: 'the secret',
    database: { dbConnType: 'new_connection', host: 'db', database: 'crm', password: 'the password' },
    initialAdmin: { username: 'ada', email: null, password: 'the hash' },
  });

  it('are all sealed, each time in the same way, and opened where they belong', () => {
    expect(hasSealedSecrets(record)).toBe(false);
    const sealed = sealer().seal('env_a', record);
    expect(hasSealedSecrets(sealed)).toBe(true);
    expect(JSON.stringify(sealed)).not.toMatch(/the (secret|password|hash)/);
    expect(sealer().seal('env_a', record)).toEqual(sealed);
    expect(secrets().open(sealed.jwtSecret!, sealed, 'jwtSecret')).toBe('the secret');
    expect(secrets().open(sealed.database.password!, sealed, 'database')).toBe('the password');
    expect(secrets().open(sealed.initialAdmin!.password, sealed, 'initialAdmin')).toBe('the hash');
  });

  it('are opened also after the environment was forgotten, by whoever has the keys of before; sealed with the new one', () => {
    const fleet = keyringOf();
    const opened = (value: string) => new Secrets(fleet, 'env_a').open(value, record, 'jwtSecret');
    const sealed = [0, 100, 200].map((floor) => {
      fleet.raise('env_a', floor);
      return new RecordSealer(fleet).seal('env_a', record).jwtSecret!;
    });
    expect(new Set(sealed).size).toBe(3);
    // What was last known of it may be read after what is newer.
    fleet.raise('env_a', 50);
    expect(sealed.map(opened)).toEqual(sealed.map(() => 'the secret'));
    const late = keyringOf();
    late.raise('env_a', 200);
    expect(() => new Secrets(late, 'env_a').open(sealed[1], record, 'jwtSecret')).toThrow();
    const own = new Keyring({ fleetKey: null, environment: { name: 'env_a', key: Buffer.alloc(32, 7) }, atRest: null });
    expect(() => new Secrets(own, 'env_a').open(sealed[0], record, 'jwtSecret')).toThrow();
  });

  it('are sealed anew when they changed, and for each environment', () => {
    const one = sealer();
    const first = one.seal('env_a', record);
    expect(one.seal('env_a', record)).toEqual(first);
    const changed = one.seal('env_a', { ...record, jwtSecret: 'another' });
    expect(secrets().open(changed.jwtSecret!, record, 'jwtSecret')).toBe('another');
    expect(changed.database).toEqual(first.database);
    const there = one.seal('env_b', record);
    expect(secrets('env_b').open(there.jwtSecret!, record, 'jwtSecret')).toBe('the secret');
    expect(one.seal('env_a', { ...record, uid: 'another' }).jwtSecret).not.toBe(first.jwtSecret);
  });

  it('are opened for no other app, field or environment', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (plain) => {
        const text = sealFor(plain, key, record, 'jwtSecret');
        expect(secrets().open(text, record, 'jwtSecret')).toBe(plain);
        const missing = expect.objectContaining({ code: 'KEY_MISSING' });
        expect(() => secrets().open(text, { ...record, uid: 'another' }, 'jwtSecret')).toThrow(missing);
        expect(() => secrets().open(text, record, 'database')).toThrow(missing);
        expect(() => secrets('env_b').open(text, record, 'jwtSecret')).toThrow(missing);
      }),
    );
  });

  it('differ where anything of them differs', () => {
    const texts = ['a', 'b'].flatMap((plain) =>
      (['jwtSecret', 'database'] as const).flatMap((field) =>
        ['env_a', 'env_b'].map((name) => sealFor(plain, keyring.of(name)!, record, field)),
      ),
    );
    expect(new Set(texts).size).toBe(8);
  });
});

it('the body of a text can be read without believing it', () => {
  expect(bodyOf(envelope.sign('env_a', 'here', 1, '{"a":1}'))).toBe('{"a":1}');
  expect(bodyOf('{"a":1}')).toBeNull();
});
