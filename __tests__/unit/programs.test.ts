import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest';

/** What is said where HAProxy is missing or too old, on a machine with a PATH of its own and another distribution. */
const folder = fs.mkdtempSync(path.join(tmpdir(), 'programs-'));
const DISTRIBUTIONS = {
  'Debian 13': 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n',
  'Debian 12': 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
  'Ubuntu 24.04': 'ID=ubuntu\nVERSION_ID="24.04"\n',
  'Ubuntu 25.04': 'ID=ubuntu\nVERSION_ID="25.04"\n',
};
const machine = vi.hoisted(() => ({ distribution: '' }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  return {
    ...real,
    readFileSync: (file: string, ...rest: [BufferEncoding]) =>
      file === '/etc/os-release' ? machine.distribution : real.readFileSync(file, ...rest),
    // Where servers are beside the PATH there are none.
    accessSync: (file: string, mode: number) => {
      if (/^\/usr\/(?:local\/)?sbin\//.test(file)) throw new Error('ENOENT');
      real.accessSync(file, mode);
    },
  };
});
const { ensurePrograms, findProgram } = await import('../../scripts/lib/programs.mjs');

const { PATH } = process.env;
beforeEach(() => {
  process.env.PATH = fs.mkdtempSync(path.join(folder, 'path-'));
  machine.distribution = DISTRIBUTIONS['Debian 13'];
});
afterEach(() => {
  process.env.PATH = PATH;
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

const put = (name: string, script: string) =>
  fs.writeFileSync(path.join(process.env.PATH!, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
const says = () => {
  try {
    ensurePrograms(['haproxy'], () => {});
    return null;
  } catch (error) {
    return (error as Error).message;
  }
};

it.each([
  ['none', null, false],
  ['2.6', 'HAProxy version 2.6.12-1+deb12u3 2025/10/03 - https://haproxy.org/', false],
  ['2.9', 'HAProxy version 2.9.15 2025/01/01', false],
  ['one that does not say', '', false],
  ['3.0', 'HAProxy version 3.0.11-1+deb13u5 2025/10/03 - https://haproxy.org/', true],
  ['3.2', 'HAProxy version 3.2.0', true],
])('where there is HAProxy %s', (_, version, isEnough) => {
  if (version !== null) put('haproxy', `echo "${version}"`);
  expect(says() === null).toBe(isEnough);
  expect(findProgram('haproxy') !== null).toBe(isEnough);
});

it.each([
  ['Debian 13', 'sudo apt-get install -y haproxy'],
  ['Debian 12', /haproxy\.gpg .*bookworm-backports-3\.0 main.* && sudo apt-get install -y haproxy$/],
  ['Ubuntu 24.04', 'sudo add-apt-repository -y ppa:vbernat/haproxy-3.0 && sudo apt-get install -y haproxy'],
  ['Ubuntu 25.04', 'sudo apt-get install -y haproxy'],
] as const)(
  'one sentence says so on %s, with the command that installs it, and with the start that needs none',
  (name, command) => {
    machine.distribution = DISTRIBUTIONS[name];
    const [sentence, empty, line, another, without, ...rest] = says()!.split('\n');
    expect(sentence).toBe('Not installed: haproxy 3.0 or later. This command installs it:');
    expect(line.trim()).toEqual(typeof command === 'string' ? command : expect.stringMatching(command));
    expect([empty, another, without, rest]).toEqual(['', '', 'Or start without a door: npm start -- --no-door', ['']]);
  },
);

it.each([
  ['dnf', 'sudo dnf install -y haproxy'],
  ['apk', 'sudo apk add haproxy'],
])('where packages come by %s', (manager, command) => {
  machine.distribution = 'ID=other\n';
  put(manager, '');
  expect(says()).toContain(`\n  ${command}\n`);
});
