import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { CHOSEN_PORTS, freePort } from '../../scripts/fleet/ports';

const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-ports-'));
afterAll(() => {
  vi.unstubAllEnvs();
  fs.rmSync(folder, { recursive: true });
});

it('gives nobody a port that another has chosen and not taken yet', async () => {
  vi.stubEnv(CHOSEN_PORTS, folder);
  const chosen = new Set<number>();
  for (let i = 0; i < 1_000; i++) chosen.add(await freePort());
  expect(chosen.size).toBe(1_000);
});
