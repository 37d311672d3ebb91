import { describe, expect, it } from 'vitest';
import { type Bill, billOf } from '../../scripts/release/bill';
import { unreleased, withRelease } from '../../scripts/release/changelog';
import { type Candidate, refusalsOf } from '../../scripts/release/refusals';

const head = '# Changelog\n\nAll notable changes.\n\n## [Unreleased]\n';
const former = '## [0.1.0] - 2026-01-01\n\n### Added\n\n- Everything.\n';
const entries = '### Added\n\n- This.\n- That, see [Unreleased].\n\n### Fixed\n\n- Those.';

describe('the changelog of a release', () => {
  it('gives what is unreleased a section of its own, below an empty one', () => {
    const changelog = `${head}\n${entries}\n\n${former}`;
    expect(unreleased(changelog)).toBe(entries);
    const released = withRelease(changelog, '0.2.0', '2026-02-03');
    expect(released).toBe(`${head}\n## [0.2.0] - 2026-02-03\n\n${entries}\n\n${former}`);
    expect(unreleased(released)).toBe('');
  });

  it('is written for the first release, too', () => {
    expect(withRelease(`${head}\n${entries}\n`, '0.1.0', '2026-02-03')).toBe(
      `${head}\n## [0.1.0] - 2026-02-03\n\n${entries}\n`,
    );
  });

  it.each([
    ['nothing', `${head}\n${former}`],
    ['nothing at all', head],
    ['headings alone', `${head}\n### Added\n\n### Fixed\n\n${former}`],
  ])('is refused with %s in it', (_what, changelog) => {
    expect(unreleased(changelog)).toBe('');
    expect(() => withRelease(changelog, '0.2.0', '2026-02-03')).toThrow('no entries');
  });

  it('is refused without the heading, and for a release that it has', () => {
    expect(() => unreleased(former)).toThrow('no heading "## [Unreleased]"');
    expect(() => withRelease(`${head}\n${entries}\n\n${former}`, '0.1.0', '2026-02-03')).toThrow('[0.1.0] already');
  });
});

describe('a release', () => {
  const good: Candidate = {
    version: '0.2.0',
    present: '0.1.9',
    changes: '',
    tags: ['v0.1.9', ''],
    changelog: `${head}\n${entries}\n\n${former}`,
  };

  it('is made of a clean commit with entries in the changelog', () => {
    expect(refusalsOf(good)).toEqual([]);
    expect(refusalsOf({ ...good, version: '0.2.0-beta.1' })).toEqual([]);
    expect(refusalsOf({ ...good, version: null, changelog: `${head}\n${former}` })).toEqual([]);
  });

  it.each<[string, Partial<Candidate>]>([
    ['not committed:\n M src/a.ts', { changes: ' M src/a.ts\n' }],
    ['not committed', { changes: '?? new.ts\n', version: null }],
    ['no entries', { changelog: `${head}\n${former}` }],
    ['not newer than 0.2.0', { present: '0.2.0' }],
    ['not newer than 0.10.0', { present: '0.10.0' }],
    ['v0.2.0 exists', { tags: ['v0.2.0'] }],
    ['"v0.2.0" is not a version', { version: 'v0.2.0' }],
    ['"next" is not a version', { version: 'next' }],
  ])('is refused: %s', (words, differs) => {
    expect(refusalsOf({ ...good, ...differs })).toEqual([expect.stringContaining(words)]);
  });
});

describe('the bill of materials', () => {
  const component = (name: string, version: string) => ({
    'bom-ref': `${name}@${version}`,
    type: 'library',
    name,
    version,
    scope: 'optional',
    hashes: [{ alg: 'SHA-512', content: name }],
  });
  const installed: Bill = {
    bomFormat: 'CycloneDX',
    metadata: { timestamp: 'now', component: component('folder', '1.0.0') },
    components: [
      component('ioredis', '5.0.0'),
      component('debug', '4.0.0'),
      component('debug', '4.0.0'),
      component('debug', '3.0.0'),
      component('vitest', '4.0.0'),
    ],
    dependencies: [
      { ref: 'folder@1.0.0', dependsOn: ['ioredis@5.0.0', 'vitest@4.0.0'] },
      { ref: 'ioredis@5.0.0', dependsOn: ['debug@4.0.0', 'left-out@1.0.0'] },
      { ref: 'debug@4.0.0' },
      { ref: 'vitest@4.0.0', dependsOn: [] },
    ],
  };

  it('has what is bundled, in the versions that are, and nothing else', () => {
    const bundled = [
      { name: 'ioredis', version: '5.0.0' },
      { name: 'debug', version: '4.0.0' },
    ];
    const bill = billOf(installed, '@scope/plugin', bundled);
    expect(bill.metadata).toMatchObject({ timestamp: 'now', component: { name: '@scope/plugin', version: '1.0.0' } });
    expect(bill.components.map((each) => [each['bom-ref'], each.scope])).toEqual([
      ['ioredis@5.0.0', 'required'],
      ['debug@4.0.0', 'required'],
    ]);
    expect(bill.components[0].hashes).toEqual([{ alg: 'SHA-512', content: 'ioredis' }]);
    expect(bill.dependencies).toEqual([
      { ref: 'folder@1.0.0', dependsOn: ['ioredis@5.0.0'] },
      { ref: 'ioredis@5.0.0', dependsOn: ['debug@4.0.0'] },
      { ref: 'debug@4.0.0', dependsOn: [] },
    ]);
  });

  it('is refused if it would lack something that is bundled', () => {
    const bundled = [
      { name: 'debug', version: '2.0.0' },
      { name: 'zod', version: '4.0.0' },
    ];
    expect(() => billOf(installed, 'plugin', bundled)).toThrow('lacks what is bundled: debug@2.0.0, zod@4.0.0');
  });
});
