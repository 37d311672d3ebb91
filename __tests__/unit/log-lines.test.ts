import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endOf, endUntil, lastLines, linesUntil } from '../../src/server/worker/log-lines';

const at = (time: string) => new Date(`2026-11-24T${time}`).getTime();
const TEXT = [
  '2026-11-24 10:00:00 [info ] a',
  '2026-11-24 10:00:05 [error] b',
  '    at stack',
  '{"timestamp":"2026-11-24 10:00:09","message":"c"}',
];

describe('lines of a log', () => {
  it('are the last ones until a time, with the stack of the last', () => {
    expect(linesUntil(TEXT, 9, at('10:00:09'))).toEqual(TEXT);
    expect(linesUntil(TEXT, 9, at('10:00:08'))).toEqual(TEXT.slice(0, 3));
    expect(linesUntil(TEXT, 2, at('10:00:08'))).toEqual(TEXT.slice(1, 3));
    expect(linesUntil(TEXT, 9, at('10:00:04'))).toEqual(TEXT.slice(0, 1));
    expect(linesUntil(TEXT, 9, at('09:00:00'))).toEqual([]);
    expect(linesUntil(['no time'], 9, at('10:00:00'))).toEqual([]);
  });

  describe('of a folder', () => {
    let folder: string;
    beforeAll(async () => {
      folder = await fs.mkdtemp(path.join(tmpdir(), 'log-lines-'));
      const files = {
        'system_2026-11-23.log': '2026-11-23 23:59:59 [info ] yesterday\n',
        'system_2026-11-24.log': `${TEXT.join('\n')}\n`,
        'system_2026-11-25.log': '2026-11-25 00:00:01 [info ] tomorrow\n',
        'system_error_2026-11-25.log': '2026-11-25 00:00:01 [error] again\n',
      };
      for (const [name, text] of Object.entries(files)) await fs.writeFile(path.join(folder, name), text);
    });
    afterAll(() => fs.rm(folder, { recursive: true }));

    it('until a time are the same, however little is read at a time', async () => {
      const file = path.join(folder, 'long.log');
      const lines = Array.from({ length: 400 }, (_, i) => {
        const time = `10:${String(Math.floor(i / 10)).padStart(2, '0')}:${String(i % 10).padStart(2, '0')}`;
        return i % 7 ? `2026-11-24 ${time} [info ] 行 ${i}` : `    at stack 错 ${i}`;
      });
      await fs.writeFile(file, `${lines.join('\n')}\n`);
      for (const [count, until] of [
        [1, '10:10:05'],
        [50, '10:20:00'],
        [50, '10:39:09'],
        [50, '10:02:00'],
        [500, '10:30:08'],
        [5, '09:00:00'],
      ] as const)
        for (const size of [30, 1_000, 1_000_000])
          expect([size, await endUntil(file, count, at(until), size)]).toEqual([
            size,
            linesUntil(lines, count, at(until)),
          ]);
    });

    it('until a time are found without what is older', async () => {
      const file = path.join(folder, 'sparse.log');
      await fs.writeFile(file, '');
      // Sparse: it takes no room, and reading it whole would.
      await fs.truncate(file, 4 * 1024 ** 3);
      await fs.appendFile(file, `\n${TEXT.join('\n')}\n`);
      expect(await endUntil(file, 2, at('10:00:08'))).toEqual(TEXT.slice(1, 3));
    });

    it('are read from the end of a file, and whole', async () => {
      const file = path.join(folder, 'system_2026-11-24.log');
      const lines = await endOf(file, 60);
      expect(lines.length).toBeGreaterThan(0);
      expect(lines).toEqual(TEXT.slice(-lines.length));
      expect(lines.length).toBeLessThan(TEXT.length);
      expect(await endOf(file)).toEqual(TEXT);
    });

    it('are in the file of that day, or of the one before', async () => {
      expect(await lastLines(folder, 9)).toEqual(['2026-11-25 00:00:01 [info ] tomorrow']);
      expect(await lastLines(folder, 9, at('23:00:00'))).toEqual(TEXT);
      expect(await lastLines(folder, 9, at('00:00:01'))).toEqual(['2026-11-23 23:59:59 [info ] yesterday']);
      expect(await lastLines(folder, 9, 0)).toEqual([]);
      expect(await lastLines(path.join(folder, 'none'), 9)).toEqual([]);
    });
  });
});
