import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';

/** One meaning for each name. */

/** Folders whose files are named after what is elsewhere, of which they are one side: actions, tables, stores. */
const SIDES = [
  'supervisor/api',
  'core/collections',
  'protocol/stores',
  'protocol/stores/memory',
  'protocol/stores/redis',
];

/** Names of files that are two sides of one thing outside of these folders. */
const SAME = [
  // Of a program, a role of a process and the fleet; their contents.
  'index.ts',
  'services.ts',
  // The rules of boots and who boots; the rules of uploads and who copies.
  'boots.ts',
  'uploads.ts',
  // What is read of the variables, and what goes by it.
  'database-roles.ts',
  'docker.ts',
  // Commands that are given to a process; the connection to a server.
  'commands.ts',
  'connection.ts',
];

it('files of src/server of one name are about the same', () => {
  const root = path.join(ROOT, 'src/server');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const byName = new Map<string, string[]>();
  for (const file of files) {
    const name = path.basename(file);
    if (SIDES.includes(path.dirname(file)) || SAME.includes(name)) continue;
    byName.set(name, [...(byName.get(name) ?? []), file]);
  }
  expect([...byName.values()].filter((found) => found.length > 1)).toEqual([]);
  expect(byName.size).toBeGreaterThan(100);
});
