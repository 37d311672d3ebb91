import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { DoorCertificate } from '../../shared/door-report';

/** A certificate with its chain and key, as text; the key may be in the same file. */
export interface CertificateText {
  /** Of the file below the folder, without separators. */
  file: string;
  certificate: string;
  /** Null: there is none. */
  key: string | null;
}

/** A certificate that was read. */
export interface ReadCertificate extends Omit<DoorCertificate, 'problem' | 'isServed'> {
  /** All that HAProxy needs of it. */
  pem: string;
  /** In ms since 1970. */
  notBefore: number;
  problem: 'unreadable' | 'keyMissing' | 'keyDiffers' | null;
}

/** Pure: whether HAProxy could use it, and for which names. */
export function readCertificate({ file, certificate, key }: CertificateText): ReadCertificate {
  const pem = key === null ? certificate : `${certificate.trimEnd()}\n${key}`;
  const unread = { file, pem, names: [], notAfter: null, notBefore: 0, problem: 'unreadable' as const };
  try {
    const own = new X509Certificate(certificate);
    const read = {
      ...unread,
      names: namesOf(own),
      notAfter: Date.parse(own.validTo),
      notBefore: Date.parse(own.validFrom),
    };
    if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) return { ...read, problem: 'keyMissing' };
    if (!own.checkPrivateKey(createPrivateKey(pem))) return { ...read, problem: 'keyDiffers' };
    createSecureContext({ cert: certificate, key: pem });
    return { ...read, problem: null };
  } catch {
    return unread;
  }
}

/** Pure. @param now in ms since 1970 */
export function problemAt({ problem, notBefore, notAfter }: ReadCertificate, now: number): DoorCertificate['problem'] {
  if (problem) return problem;
  if (notBefore > now) return 'notYetValid';
  return notAfter !== null && notAfter <= now ? 'expired' : null;
}

/** What `subjectAltName` says; the common name of a certificate without it is not looked at, as in browsers. */
function namesOf({ subjectAltName }: X509Certificate): string[] {
  const names = (subjectAltName ?? '').split(', ').flatMap((entry) => {
    const [, name] = /^(?:DNS|IP Address):(.+)$/.exec(entry) ?? [];
    return name ? [name.toLowerCase()] : [];
  });
  return names.filter((name) => /^[a-z0-9.*:-]{1,253}$/.test(name)).slice(0, 100);
}
