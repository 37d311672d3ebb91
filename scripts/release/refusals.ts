import semver from 'semver';
import { unreleased } from './changelog';

export interface Candidate {
  /** The version that is asked for; null: only the archive of the present one. */
  version: string | null;
  /** The version in package.json. */
  present: string;
  /** What `git status --porcelain` prints. */
  changes: string;
  /** The tags of the repository. */
  tags: string[];
  changelog: string;
}

/** Why this cannot be released, one sentence for each reason; empty if it can. */
export function refusalsOf({ version, present, changes, tags, changelog }: Candidate): string[] {
  const refusals: string[] = [];
  if (changes.trim()) refusals.push(`The working tree has changes that are not committed:\n${changes.trimEnd()}`);
  if (version === null) return refusals;
  if (semver.valid(version) !== version) refusals.push(`"${version}" is not a version such as 1.2.3.`);
  else {
    if (!semver.gt(version, present)) refusals.push(`${version} is not newer than ${present}, which package.json has.`);
    if (tags.includes(`v${version}`)) refusals.push(`The tag v${version} exists already.`);
  }
  if (!unreleased(changelog)) refusals.push('CHANGELOG.md has no entries below "## [Unreleased]".');
  return refusals;
}
