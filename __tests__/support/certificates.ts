import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { HOST } from '../../scripts/fleet';

export interface Certificates {
  /** The authority's own certificate. */
  ca: string;
  cert: string;
  key: string;
}

/** A certificate that signs itself, for these names: `<name>.pem` and `<name>.key` in the folder. */
export function makeSelfSigned(folder: string, name: string, names: string[]): void {
  const alternatives = names.map((each) => `DNS:${each}`).join(',');
  const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`];
  execFileSync('openssl', [...request, '-addext', `subjectAltName=${alternatives}`, ...files], {
    cwd: folder,
    stdio: 'pipe',
  });
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
