import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HOST } from '../../scripts/fleet';

const DAY = 86_400_000;

export interface Certificates {
  /** The authority's own certificate. */
  ca: string;
  cert: string;
  key: string;
}

const KEY = [
  '-newkey',
  'ec',
  '-pkeyopt',
  'ec_paramgen_curve:prime256v1',
  '-nodes',
  '-keyout',
  'key',
  '-out',
  'request',
];
/** What `openssl ca` needs, which alone sets both dates in every release. */
const AUTHORITY = `[ca]
default_ca = own
[own]
new_certs_dir = .
database = index
rand_serial = yes
default_md = sha256
policy = names
[names]
commonName = supplied
`;

/**
 * A certificate that signs itself, for these names: `<name>.pem` and `<name>.key` in the folder.
 * @param days from when until when it is valid, counted from now
 */
export function makeSelfSigned(folder: string, name: string, names: string[], days: [number, number] = [0, 2]): void {
  const cwd = fs.mkdtempSync(path.join(tmpdir(), 'certificate-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd, stdio: 'pipe' });
  const files = {
    authority: AUTHORITY,
    index: '',
    names: `subjectAltName=${names.map((each) => `DNS:${each}`).join()}`,
  };
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(cwd, file), text);
  const [from, to] = days.map((after) => new Date(Date.now() + after * DAY).toISOString().replace(/[-T:]|\.\d*/g, ''));
  openssl('req', ...KEY, '-subj', `/CN=${name}`);
  const signed = ['-selfsign', '-keyfile', 'key', '-in', 'request', '-extfile', 'names', '-out', 'certificate'];
  openssl('ca', '-batch', '-config', 'authority', '-notext', ...signed, '-startdate', from, '-enddate', to);
  fs.copyFileSync(path.join(cwd, 'certificate'), path.join(folder, `${name}.pem`));
  fs.copyFileSync(path.join(cwd, 'key'), path.join(folder, `${name}.key`));
  fs.rmSync(cwd, { recursive: true });
}

/** An authority made for the occasion, and a certificate of it for this machine's loopback address. */
export function makeCertificates(folder: string): Certificates {
  const file = (name: string) => path.join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const newKey = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...newKey, '-subj', '/CN=A test authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  openssl('req', ...newKey.slice(0, 3), '-subj', '/CN=redis', '-keyout', 'redis.key', '-out', 'redis.csr');
  fs.writeFileSync(file('names'), `subjectAltName=IP:${HOST}`);
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
  openssl('x509', '-req', '-in', 'redis.csr', ...signed, '-out', 'redis.pem');
  return { ca: file('ca.pem'), cert: file('redis.pem'), key: file('redis.key') };
}
