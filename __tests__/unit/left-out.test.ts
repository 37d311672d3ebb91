import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { leftOut } from '../../scripts/lib/left-out.mjs';
import { ROOT } from '../../scripts/lib/root.mjs';

/** What `npm test` says that it does not run. */

/** Projects of vitest.config.mts that are stages of `npm test` (scripts/test.mjs). */
const GATE = ['unit', 'unit-mocks', 'unit-classes', 'integration', 'e2e', 'alone'];

it('every file of every other project is named, with the command that runs it', () => {
  const config = readFileSync(path.join(ROOT, 'vitest.config.mts'), 'utf8');
  const projects = [...config.matchAll(/^ {6}project\('([\w-]+)'/gm)].map(([, name]) => name);
  const others = projects.filter((name) => !GATE.includes(name));
  expect(others.length).toBe(projects.length - GATE.length);
  const lines = leftOut([]).join('\n');
  for (const project of others)
    for (const file of readdirSync(path.join(ROOT, '__tests__', project)).filter((name) => name.endsWith('.test.ts')))
      expect(lines).toContain(`${project}/${file.replace(/\.test\.ts$/, '')}`);
  for (const command of ['test:long', 'test:chaos', 'test:docker']) expect(lines).toContain(`npm run ${command}`);
});

it('tests that are skipped in the gate are named one by one', () => {
  const skipped = ['__tests__/e2e/browser.test.ts > in the legacy client an app is edited'];
  const lines = leftOut(skipped);
  expect(lines.at(-2)).toContain('1 skipped here');
  expect(lines.at(-1)).toBe(`  ${skipped[0]}`);
  expect(leftOut([]).join()).not.toContain('other client');
});
