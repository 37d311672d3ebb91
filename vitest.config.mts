import { readFile } from 'node:fs/promises';
import { defineConfig, type Plugin } from 'vitest/config';

/** As in the bundle (scripts/build/config.ts): importing a `.lua` file gives its text. */
const luaAsText: Plugin = {
  name: 'lua-as-text',
  enforce: 'pre',
  async load(id) {
    if (id.endsWith('.lua')) return `export default ${JSON.stringify(await readFile(id, 'utf8'))};`;
  },
};

/** A fleet is one machine-wide thing, and a test that waits for it must not share the two cores with another one. */
const ON_A_FLEET = { maxWorkers: 1, fileParallelism: false, globalSetup: './__tests__/setup/fleet.ts' };

const MINUTE = 60_000;

// What a test waits for has a deadline of its own, which says what did not come; these are for what has none. They cost
// nothing where all goes well, and must not be what ends a test on a machine that is starved.

const project = (name: string, options: object) => ({
  plugins: [luaAsText],
  test: { name, include: [`__tests__/${name}/**/*.test.{ts,tsx}`], expect: { poll: { timeout: MINUTE } }, ...options },
});

export default defineConfig({
  test: {
    passWithNoTests: false,
    projects: [
      project('unit', { testTimeout: MINUTE, hookTimeout: MINUTE }),
      project('integration', {
        testTimeout: 3 * MINUTE,
        hookTimeout: 3 * MINUTE,
        maxWorkers: 2,
        globalSetup: './__tests__/setup/services.ts',
      }),
      project('e2e', { testTimeout: 5 * MINUTE, hookTimeout: 8 * MINUTE, ...ON_A_FLEET }),
      project('chaos', { testTimeout: 5 * MINUTE, hookTimeout: 8 * MINUTE, ...ON_A_FLEET }),
    ],
  },
});
