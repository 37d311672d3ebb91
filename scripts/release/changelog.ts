/** CHANGELOG.md in the form of Keep a Changelog, as text: sections begin with `## [Unreleased]` or `## [X.Y.Z] - date`. */

const UNRELEASED = '## [Unreleased]';

/**
 * What stands below `## [Unreleased]`, trimmed. Empty if nothing does, or only headings.
 * @throws if there is no such heading
 */
export function unreleased(changelog: string): string {
  const { begin, end } = bounds(changelog);
  const section = changelog.slice(begin, end).trim();
  return section.split('\n').every((line) => !line.trim() || line.startsWith('#')) ? '' : section;
}

/**
 * The changelog in which everything unreleased belongs to a release, below an empty `## [Unreleased]`.
 * @param version without a leading `v`
 * @param date `YYYY-MM-DD`
 * @throws if nothing is unreleased, or if the release has a section already
 */
export function withRelease(changelog: string, version: string, date: string): string {
  const section = unreleased(changelog);
  if (!section) throw new Error('CHANGELOG.md has no entries below "## [Unreleased]".');
  if (changelog.includes(`\n## [${version}]`)) throw new Error(`CHANGELOG.md has a section [${version}] already.`);
  const { begin, end } = bounds(changelog);
  const rest = changelog.slice(end);
  return `${changelog.slice(0, begin)}\n## [${version}] - ${date}\n\n${section}\n${rest ? `\n${rest}` : ''}`;
}

/** Where the text of the section begins, after its heading's line, and where the next section or the file ends it. */
function bounds(changelog: string): { begin: number; end: number } {
  const heading = `\n${changelog}`.indexOf(`\n${UNRELEASED}\n`);
  if (heading < 0) throw new Error(`CHANGELOG.md has no heading "${UNRELEASED}".`);
  const begin = heading + UNRELEASED.length + 1;
  const next = changelog.indexOf('\n## ', begin - 1);
  return { begin, end: next < 0 ? changelog.length : next + 1 };
}
