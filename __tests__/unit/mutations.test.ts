import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';
import { MUTANTS } from '../simulation/mutations';

describe('a mutant of the simulator', () => {
  it.each(MUTANTS.map(({ what, changes }) => [what, changes] as const))('can be made: %s', (_, changes) => {
    for (const [file, text] of changes) {
      const parts = readFileSync(path.join(ROOT, 'src/server', file), 'utf8').split(text);
      expect(parts, `${file}: ${text}`).toHaveLength(2);
    }
  });
});
