import { createHash } from 'node:crypto';

/** Enough that a change hashes a few dozen entries of ten thousand. */
const BUCKETS = 256;

/**
 * A hash over a set of named texts, in any order, that a change of one of them makes anew at little cost: one signature for
 * all of them.
 */
export class SetDigest {
  /** By name, the hash of the entry. */
  private readonly buckets = Array.from({ length: BUCKETS }, () => new Map<string, string>());
  /** Of each bucket; null after a change. */
  private readonly hashes: Array<string | null> = Array.from({ length: BUCKETS }, () => null);

  /** @param text absent: there is no such entry */
  set(name: string, text?: string): void {
    const at = bucketOf(name);
    if (text === undefined) this.buckets[at].delete(name);
    else this.buckets[at].set(name, hashOf(JSON.stringify([name, text])));
    this.hashes[at] = null;
  }

  /** In base64url. */
  get root(): string {
    this.buckets.forEach((bucket, at) => {
      this.hashes[at] ??= hashOf([...bucket.values()].sort().join());
    });
    return hashOf(this.hashes.join());
  }
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** Any that spreads names; nothing depends on it but time. */
function bucketOf(name: string): number {
  let sum = 0;
  for (let i = 0; i < name.length; i++) sum = (31 * sum + name.charCodeAt(i)) | 0;
  return sum & (BUCKETS - 1);
}
