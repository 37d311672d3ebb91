import { randomUUID } from 'node:crypto';
import { systemClock } from '../src/server/clock';
import { createLog } from '../src/server/log';
import { Envelope, SUPERVISOR } from '../src/server/protocol/envelope';
import { fleetKeyOf, Keyring } from '../src/server/protocol/keyring';
import { Refusals } from '../src/server/protocol/refusals';
import { RecordSealer, Secrets, seal } from '../src/server/protocol/secrets';
import { APP } from '../src/shared/app';
import { defaultsIn } from '../src/shared/fields';
import { type AppRecord, appIndexEntry, appRecord } from '../src/shared/messages';

/**
 * What signatures cost, by themselves and as a share of what has to be done anyway: `npm run bench:signatures`. Redis takes no part
 * in it: a signed value takes as many commands as one that is not, except that a lease is claimed twice when it is taken.
 */

const APPS = 10_000;
const ROUNDS = 5;

const log = createLog({ debug() {}, info() {}, warn() {}, error() {} });
const atRest = Buffer.alloc(32, 1);
const keyring = new Keyring({ fleetKey: fleetKeyOf(atRest), environment: null, atRest });
const envelope = new Envelope(keyring, new Refusals(log, systemClock));

const records: AppRecord[] = Array.from({ length: APPS }, (_, i) => ({
  ...defaultsIn(APP, 'record'),
  name: `app-${i}`,
  uid: randomUUID(),
  title: `App ${i}`,
  environments: ['env_a'],
  generation: i,
  boot: { generation: i, how: 'start' },
  desired: 'running',
  provision: 'none',
  data: 'keep',
  database: { dbConnType: 'new_connection', host: 'db', database: `app_${i}`, password: seal('a password', atRest) },
  jwtSecret: seal('a secret of 43 characters, as each app has it', atRest),
}));

/** Processor time of the best of some rounds, in ms: other work on the machine counts for nothing. */
function best(work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const begin = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(begin);
    least = Math.min(least, (user + system) / 1_000);
  }
  return least;
}

const place = ({ uid }: AppRecord) => `app-supervisor:records:env_a ${uid}`;
const plain = records.map((record) => JSON.stringify(record));
const sealer = new RecordSealer(keyring);
const sealed = records.map((record) => sealer.seal('env_a', record));
const signed = sealed.map((record) => envelope.sign('env_a', place(record), record.generation, JSON.stringify(record)));
const entries = records.map((record) =>
  JSON.stringify(appIndexEntry.parse({ ...defaultsIn(APP, 'index'), ...record, options: {} })),
);
const secrets = new Secrets(keyring, 'env_a');

const rows: Array<[what: string, ms: number, of: string, base: number]> = [];
const write = best(() => records.forEach((record) => void JSON.stringify(record)));
const read = best(() => plain.forEach((text) => void appRecord.parse(JSON.parse(text))));
rows.push([
  'records: to sign',
  best(() => sealed.forEach((record, i) => void envelope.sign('env_a', place(record), i, plain[i]))),
  'making the JSON',
  write,
]);
const sealAll = (by: RecordSealer) => records.forEach((record) => void by.seal('env_a', record));
rows.push(['records: to seal two secrets each', best(() => sealAll(new RecordSealer(keyring))), 'parsing them', read]);
rows.push(['records: the same, again', best(() => sealAll(sealer)), 'parsing them', read]);
rows.push([
  'records: to check',
  best(() => signed.forEach((text, i) => void envelope.open('env_a', place(records[i]), text))),
  'parsing them',
  read,
]);
rows.push([
  'records: to open one secret each',
  best(() => sealed.forEach((record) => void secrets.open(record.jwtSecret!, record, 'jwtSecret'))),
  'parsing them',
  read,
]);
const parse = best(() => entries.forEach((text) => void appIndexEntry.parse(JSON.parse(text))));
const signedEntries = entries.map((text, i) => envelope.sign(SUPERVISOR, records[i].uid, 1, text));
rows.push([
  'app index: to sign',
  best(() => entries.forEach((text, i) => void envelope.sign(SUPERVISOR, records[i].uid, 1, text))),
  'parsing it',
  parse,
]);
rows.push([
  'app index: to check',
  best(() => signedEntries.forEach((text, i) => void envelope.open(SUPERVISOR, records[i].uid, text))),
  'parsing it',
  parse,
]);

console.log(`${APPS} apps; the best of ${ROUNDS} rounds`);
for (const [what, ms, of, base] of rows)
  console.log(
    `${what.padEnd(46)} ${ms.toFixed(1).padStart(8)} ms  ${(ms / base).toFixed(2).padStart(6)} × ${of} (${base.toFixed(1)} ms)`,
  );
