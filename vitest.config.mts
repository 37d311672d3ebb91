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

/** A fleet takes much of a machine, and its tests follow one another. */
const ON_A_FLEET = { maxWorkers: 1, fileParallelism: false, globalSetup: './__tests__/setup/fleet.ts' };

const MINUTE = 60_000;

const unit = (name: string) => `__tests__/unit/${name}.test.ts`;
/** Unit tests that replace modules (`vi.mock`). */
const WITH_MOCKS = ['fields', 'programs'].map(unit);
/** Unit tests that replace methods of NocoBase's classes, which others have loaded. */
const ON_CLASSES = ['guards.core', 'guards.files', 'guards.nodes'].map(unit);

/** End-to-end tests that need no fleet, or bring one of their own: `npm test` runs them beside those on the shared fleet. */
const ALONE = ['launcher', 'one-process'].map((name) => `__tests__/e2e/${name}.test.ts`);

/** `npm test` tests the pages whole in one client, and their main job in the other; `npm run test:long` the other way round. */
const BROWSER = '__tests__/e2e/browser*.test.ts';

const project = (name: string, options: object) => ({
  plugins: [luaAsText],
  test: { name, include: [`__tests__/${name}/**/*.test.{ts,tsx}`], expect: { poll: { timeout: MINUTE } }, ...options },
});

// What a test waits for has a deadline of its own, which says what did not come. These are for what has none; they cost
// nothing where all goes well, and must not be what ends a test on a machine that is starved.
const UNIT = { maxWorkers: 2, testTimeout: MINUTE, hookTimeout: MINUTE };
const FLEET_TIMES = { testTimeout: 5 * MINUTE, hookTimeout: 8 * MINUTE };

export default defineConfig({
  test: {
    passWithNoTests: false,
    projects: [
      // In one world for all files, which takes half the time; those that replace parts have one of their own.
      project('unit', { exclude: [...WITH_MOCKS, ...ON_CLASSES], isolate: false, ...UNIT }),
      project('unit-mocks', { include: WITH_MOCKS, ...UNIT }),
      project('unit-classes', {
        include: ON_CLASSES,
        isolate: false,
        ...UNIT,
        maxWorkers: 1,
        sequence: { groupOrder: 1 },
      }),
      project('integration', {
        testTimeout: 3 * MINUTE,
        hookTimeout: 3 * MINUTE,
        // Most of them wait most of the time.
        maxWorkers: 3,
        // In one world for all files of a worker: each would load the same modules again.
        isolate: false,
        globalSetup: './__tests__/setup/services.ts',
      }),
      project('e2e', { exclude: ALONE, ...FLEET_TIMES, ...ON_A_FLEET }),
      project('alone', { include: ALONE, ...FLEET_TIMES, ...ON_A_FLEET, globalSetup: './__tests__/setup/services.ts' }),
      project('long', {
        include: ['__tests__/long/**/*.test.ts', BROWSER],
        ...FLEET_TIMES,
        ...ON_A_FLEET,
        globalSetup: ['./__tests__/setup/fleet.ts', './__tests__/setup/services.ts'],
      }),
      // As integration, and too long for `npm test`.
      project('faults', {
        // Of the tests of the proxy, some groups are of the Supervisor alone. That nothing ran at all is seen by scripts/test.mjs.
        passWithNoTests: true,
        testTimeout: 5 * MINUTE,
        hookTimeout: 5 * MINUTE,
        maxWorkers: 2,
        globalSetup: './__tests__/setup/services.ts',
      }),
      // Every order of steps that there is, of the models of what decides who hosts.
      project('model', { maxWorkers: 2, testTimeout: 2 * MINUTE }),
      // In a Docker Engine of its own, on fixed ports: `npm run test:docker`.
      project('docker', { ...FLEET_TIMES, ...ON_A_FLEET, globalSetup: './__tests__/setup/docker.ts', bail: 1 }),
      // What visitors get of a whole fleet behind a door.
      project('door', { ...FLEET_TIMES, ...ON_A_FLEET }),
      project('chaos', { ...FLEET_TIMES, ...ON_A_FLEET }),
    ],
  },
});
