import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { Found } from '../../bench/scale/scenario';
import { ROOT } from '../../scripts/lib/root.mjs';

/** The benchmark still measures everything. Its limits are for a machine that does nothing else. */
it('npm run bench:scale measures a small fleet', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'app-supervisor-scale-'));
  const json = path.join(folder, 'found.json');
  const size = ['--sizes', '4x40', '--rounds', '1', '--rest', '2', '--latency', '2', '--visits', '50'];
  try {
    const child = spawn('npm', ['run', 'bench:scale', '--', ...size, '--json', json], { cwd: ROOT, stdio: 'inherit' });
    await once(child, 'exit');
    const { found } = JSON.parse(await readFile(json, 'utf8')) as { found: Found[] };
    expect(found).toHaveLength(1);
    const [{ list, statements, rest, visited, restart, flush, change, storm, lead }] = found;
    expect(lead.losses).toBe(0);
    const measured = { ...list, statements, rest, visited, restart, flush, change, storm, longest: lead.longest };
    for (const [what, value] of Object.entries(measured)) expect(numbersIn(value), what).not.toContain(null);
    expect(rest.own).toBeGreaterThan(0);
    expect(change?.perSecond).toBeGreaterThan(0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 900_000);

const numbersIn = (value: unknown): unknown[] =>
  value !== null && typeof value === 'object' ? Object.values(value).flatMap(numbersIn) : [value];
