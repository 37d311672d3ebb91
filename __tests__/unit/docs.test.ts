import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { resolveConfig } from '../../scripts/fleet/config';
import { environmentOf } from '../../scripts/fleet/environment';
import { ROOT } from '../../scripts/lib/root.mjs';
import { parseConfig, type SupervisorConfig } from '../../src/server/config';
import { doorConfig } from '../../src/server/config/door';
import { keyringOf } from '../../src/server/core/wire';
import { changedOwnersSql } from '../../src/server/databases/dialects/postgres-roles';
import { workerKeysOf } from '../../src/server/supervisor/joining/worker-keys';
import { type Env, INSTANCES, type Made, makeKeys, services, volumes } from '../support/compose';

const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const RUN = { command: 'start', isMainThread: true };
const REDIS = {
  APP_COMMAND_ADAPTER: 'redis',
  APP_SUPERVISOR_REDIS_URL: 'redis://x',
  APP_COMMAND_REDIS_URL: 'redis://x',
};
const PARTS: Record<string, Env> = {
  dormant: {},
  local: { APP_DISCOVERY_ADAPTER: 'local', APP_PROCESS_ADAPTER: 'local' },
  supervisor: { APP_MODE: 'supervisor', APP_DISCOVERY_ADAPTER: 'remote', APP_PROCESS_ADAPTER: 'remote', ...REDIS },
  worker: {
    APP_MODE: 'worker',
    APP_DISCOVERY_ADAPTER: 'remote',
    APP_PROCESS_ADAPTER: 'local',
    ...REDIS,
    ENVIRONMENT_NAME: 'a',
    ENVIRONMENT_URL: 'http://a',
  },
};

const DOOR: Record<string, string> = {
  APP_SUPERVISOR_REDIS_URL: 'redis://a',
  APP_SUPERVISOR_PUBLIC_KEY: 'A'.repeat(43),
  APP_SUPERVISOR_DOOR_SUPERVISORS: 'http://a',
};

/** Names that `parseConfig` and `doorConfig` look at, by asking them. */
const NAMES = new Set<string>();
const watched = (env: Record<string, string | undefined>) =>
  new Proxy(env, {
    get(target, name) {
      if (typeof name === 'string') NAMES.add(name);
      return Reflect.get(target, name);
    },
  });
for (const env of Object.values(PARTS)) parseConfig(watched(env), RUN);
doorConfig(watched(DOOR));

/** First cells of all table rows below a heading of level 2. */
function firstCells(markdown: string): string[] {
  return [...markdown.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name);
}

/** Every test file, and the numbers of the invariants that titles in it name. */
const TEST_FILES = readdirSync(path.join(ROOT, '__tests__'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts') || file.endsWith('.test.tsx'))
  .map((file) => ({
    file: file.replaceAll(path.sep, '/'),
    numbers: new Set([...read(`__tests__/${file}`).matchAll(/['"`]invariant (\d+): /g)].map(([, number]) => +number)),
  }));

describe('docs/invariants.md', () => {
  const sections = read('docs/invariants.md')
    .split(/^## /m)
    .slice(1)
    .map((text) => ({
      number: Number.parseInt(text, 10),
      tests: [...text.slice(text.indexOf('**Tests**')).matchAll(/\]\(\.\.\/__tests__\/([^)]+)\)/g)].map(
        ([, file]) => file,
      ),
      /** The first file of each line; the others run it. */
      proofs: [...text.slice(text.indexOf('**Tests**')).matchAll(/^- \[[^\]]+\]\(\.\.\/__tests__\/([^)]+)\)/gm)].map(
        ([, file]) => file,
      ),
    }));

  it('has all of them', () => {
    expect(sections.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  });

  it.each(sections)('$number links to every file with a test of it, and only to existing files', (section) => {
    const { number, tests } = section;
    expect(tests.filter((file) => !existsSync(path.join(ROOT, '__tests__', file)))).toEqual([]);
    const titled = TEST_FILES.filter(({ numbers }) => numbers.has(number)).map(({ file }) => file);
    expect(titled, `no test is titled "invariant ${number}: …"`).not.toEqual([]);
    expect(tests).toEqual(expect.arrayContaining(titled));
  });

  it.each(sections)('$number names no file without a test that is titled with it', ({ number, proofs }) => {
    const isTitled = (file: string) => new RegExp(`['"\`]invariant ${number}: `).test(read(`__tests__/${file}`));
    expect(proofs.length).toBeGreaterThan(0);
    expect(proofs.filter((file) => !isTitled(file))).toEqual([]);
  });
});

describe('links', () => {
  const documents = [
    'README.md',
    'README.zh-CN.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    'examples/README.md',
    ...readdirSync(path.join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((file) => `docs/${file}`),
  ].filter((file) => file.endsWith('.md'));

  it.each(documents)('%s: all targets exist', (document) => {
    const links = [...read(document).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(([, link]) => link);
    expect(
      links.filter((link) => {
        const target = path.resolve(ROOT, path.dirname(document), link);
        return !existsSync(target) || path.relative(ROOT, target).startsWith('..');
      }),
    ).toEqual([]);
  });
});

describe('tables of behaviours', () => {
  /** A test by its file and the titles that follow it. */
  const NAMED = /\]\(\.\.\/__tests__\/([^)#]+)\)((?:,? "[^"]+")*)/g;
  const namedIn = (text: string) =>
    [...text.matchAll(NAMED)].flatMap(([, file, titles]) =>
      [...titles.matchAll(/"([^"]+)"/g)].map(([, title]) => ({ file, title })),
    );
  /** At the beginning of a string: the whole, up to the numbers of docs/regressions.md, or the invariant's number. */
  const hasTitle = (file: string, title: string) =>
    ["'", '`', '"'].some((quote) => {
      const [, ...found] = read(`__tests__/${file}`).split(`${quote}${title}`);
      return found.some((rest) => rest.startsWith(quote) || rest.startsWith(' (') || rest.startsWith(': '));
    });

  it.each(['app-sso', 'entries'])('docs/%s.md names a test for each behaviour', (document) => {
    const [, ...tables] = read(`docs/${document}.md`).split('| behaviour | test |\n|---|---|\n');
    const rows = tables.flatMap((table) =>
      table
        .split(/\n(?!\|)/)[0]
        .split('\n')
        .filter(Boolean),
    );
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.filter((row) => namedIn(row).length === 0)).toEqual([]);
  });

  it.each(['failure-modes', 'core-contract'])(
    'docs/%s.md names tests that there are in its last column',
    (document) => {
      const alike = (name: string) => name.replaceAll('.', '-');
      const cells = [...read(`docs/${document}.md`).matchAll(/^\|.*\| ([^|]+) \|$/gm)].map(([, cell]) => cell);
      const named = cells.flatMap((cell) => [
        ...cell.matchAll(/\b(unit|integration|e2e|long|faults|chaos) ([a-z][\w.-]*\w)(?: "([^"]+)")?/g),
      ]);
      expect(named.length).toBeGreaterThan(5);
      const isThere = ([, folder, name, title = '']: RegExpMatchArray) =>
        readdirSync(path.join(ROOT, '__tests__', folder), { encoding: 'utf8' }).some(
          (file) =>
            file.endsWith('.ts') &&
            alike(file).includes(alike(name)) &&
            read(`__tests__/${folder}/${file}`).includes(title),
        );
      expect(named.filter((match) => !isThere(match)).map(([whole]) => whole)).toEqual([]);
    },
  );

  it('name tests that there are', () => {
    const documents = readdirSync(path.join(ROOT, 'docs')).filter((file) => file.endsWith('.md'));
    const named = documents.flatMap((file) => namedIn(read(`docs/${file}`)));
    expect(named.length).toBeGreaterThan(80);
    expect(named.filter(({ file, title }) => !hasTitle(file, title))).toEqual([]);
  });
});

describe('commands', () => {
  const documents = ['CONTRIBUTING.md', ...readdirSync(path.join(ROOT, 'docs')).map((file) => `docs/${file}`)].filter(
    (file) => file.endsWith('.md'),
  );
  /** The folder of a project, if it has not its name. */
  const FOLDERS: Record<string, string> = {
    alone: 'e2e',
    'unit-mocks': 'unit',
    'unit-classes': 'unit',
  };

  it('of the tests find some', () => {
    const named = documents.flatMap((file) => [
      ...read(file).matchAll(/vitest run --project ([\w-]+) (?:__tests__\/\w+\/)?(\w[\w.]*)/g),
    ]);
    expect(named.length).toBeGreaterThan(5);
    const finds = ([, project, name]: RegExpMatchArray) =>
      TEST_FILES.some(({ file }) => file.startsWith(`${FOLDERS[project] ?? project}/`) && file.includes(name));
    expect(named.filter((match) => !finds(match)).map(([whole]) => whole)).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  it('names every folder of the server', () => {
    const section = read('docs/architecture.md').split(/^## Folders$/m)[1];
    const named = [...section.matchAll(/^ {4}([a-z]+)\/ /gm)].map(([, name]) => name);
    const folders = readdirSync(path.join(ROOT, 'src/server'), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    expect(named.sort()).toEqual(folders.map(({ name }) => name).sort());
  });
});

describe('CONTRIBUTING.md', () => {
  const TASKS = [
    "the heartbeat's limits",
    'when an app boots',
    'a new action of apps',
    'a new error',
    'a new column of the list',
    'a new field of an app',
    'a new field of an environment or an operation',
    'a new metric',
    'a new database dialect',
    'a new Redis key',
    'a new message between the two processes',
    'what SIGTERM does',
    'a guard in hosted apps',
    'what the server says to people',
    'a new check of the security checklist',
    'a page text',
    'an environment variable',
  ];
  const HEADING = /^## Where do I change …$/m;
  const text = read('CONTRIBUTING.md');
  const table = text.split(HEADING)[1].split(/^## /m)[0];
  const rows = [...table.matchAll(/^\| ([^|]+) \| (.*\[.*) \|$/gm)].map(([, task, files]) => ({
    task,
    files: [...files.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].map(([, name, link]) => ({ name, link })),
  }));

  it('says where every common task is done', () => {
    expect(rows.map(({ task }) => task)).toEqual(TASKS);
  });

  it.each(rows)('$task: names existing files', ({ files }) => {
    expect(files.filter(({ name, link }) => name !== link || !existsSync(path.join(ROOT, name)))).toEqual([]);
  });

  it('has a recipe for each task that adds something', () => {
    const recipes = [...text.matchAll(/^\*\*(A new [^*]+)\*\*/gm)].map(([, title]) => title);
    expect(recipes).toHaveLength(11);
  });

  it('names files of the server in that table only, so that a moved file is renamed once', () => {
    expect(text.replace(table, '')).not.toContain('src/server');
  });
});

describe('the workflow for a public host', () => {
  const workflow = parse(read('.github/workflows/test.yml'));
  const major = (version: string) => /\d+/.exec(version)?.[0];

  it('runs .ci/run, with the Node.js of .nvmrc, which package.json allows', () => {
    const { steps, container } = workflow.jobs.test;
    expect(steps.map(({ run }: { run?: string }) => run).filter(Boolean)).toEqual(['bash .ci/run']);
    expect(existsSync(path.join(ROOT, '.ci/run'))).toBe(true);
    expect(container.image).toMatch(new RegExp(`^node:${read('.nvmrc').trim()}-`));
    expect(JSON.parse(read('package.json')).engines.node).toBe(`>=${major(read('.nvmrc'))}`);
  });

  it.each(readdirSync(path.join(ROOT, '.github/ISSUE_TEMPLATE')))('%s is a form', (file) => {
    const form = parse(read(`.github/ISSUE_TEMPLATE/${file}`));
    if (file === 'config.yml') return expect(form).toEqual({ blank_issues_enabled: true });
    expect(form).toMatchObject({ name: expect.any(String), description: expect.any(String) });
    const fields = form.body.filter(({ type }: { type: string }) => type !== 'markdown');
    expect(fields.length).toBeGreaterThan(0);
    for (const { id, attributes } of fields)
      expect([id, attributes.label]).toEqual([expect.any(String), expect.any(String)]);
  });
});

describe('the workflow of a release', () => {
  const workflow = parse(read('.github/workflows/release.yml'));
  const commands = workflow.jobs.release.steps.flatMap(({ run }: { run?: string }) => run ?? []) as string[];

  it('audits what is bundled, and publishes the archive with the digests of the images that it was built with', () => {
    expect(commands.join('\n')).toMatch(
      /npm ci\n.*audit --omit=dev.*\n(.*\n)*npm run release -- --archive\n.*pin-images > release\/images.env\n/,
    );
    expect(commands.find((command) => command.includes('compose'))).toContain('--env-file release/images.env build');
    expect(commands.at(-1)).toMatch(/^gh release create .* release\/\*$/);
  });

  it('pins every image to the digest of its tag, and ends if one has none', () => {
    const bin = mkdtempSync(path.join(tmpdir(), 'app-supervisor-docker-'));
    const pin = (digest: string) => {
      writeFileSync(path.join(bin, 'docker'), `#!/bin/sh\necho "$4" >> ${bin}/asked\necho "${digest}"\n`, {
        mode: 0o755,
      });
      const env = { PATH: `${bin}:${process.env.PATH}` };
      return execFileSync('bash', [path.join(ROOT, '.ci/pin-images')], { env, encoding: 'utf8', stdio: 'pipe' });
    };
    try {
      const digest = `sha256:${'ab'.repeat(32)}`;
      const { NOCOBASE_IMAGE, NODE_IMAGE } = services.supervisor.build!.args;
      const images = {
        HAPROXY_IMAGE: services.haproxy.image,
        NOCOBASE_IMAGE,
        NODE_IMAGE,
        POSTGRES_IMAGE: services.postgres.image,
        REDIS_IMAGE: services.redis.image,
      };
      const lines = Object.entries(images).map(([name, image]) => `${name}=${image}@${digest}\n`);
      expect(pin(digest)).toBe(lines.join(''));
      expect(readFileSync(path.join(bin, 'asked'), 'utf8')).toBe(`${Object.values(images).join('\n')}\n`);
      expect(() => pin('')).toThrow(/has no digest/);
    } finally {
      rmSync(bin, { recursive: true });
    }
  });
});

/** A page of docs/reference in both languages. */
const inBoth = (page: string) => [`docs/reference/${page}.md`, `docs/reference/${page}.zh-CN.md`];

describe('environment variables', () => {
  it.each(inBoth('environment-variables'))('%s: the table contains what config/ reads, once each', (file) => {
    expect(firstCells(read(file)).sort()).toEqual([...NAMES].sort());
  });
});

describe('docs/errors.md', () => {
  it('has every code of errors.ts with its status, and no other', () => {
    const source = read('src/server/errors.ts');
    const codes = [...source.matchAll(/^ {2}([A-Z_]+): \[\s*(\d{3}),/gm)].map(
      ([, code, status]) => `${code} ${status}`,
    );
    const rows = [...read('docs/errors.md').matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \|/gm)].map(
      ([, code, status]) => `${code} ${status}`,
    );
    expect(codes.length).toBeGreaterThan(30);
    expect(rows.sort()).toEqual(codes.sort());
  });
});

describe('README', () => {
  it.each(['README.md', 'README.zh-CN.md'])('%s: is short enough to be read completely', (file) => {
    expect(read(file).split('\n').length).toBeLessThanOrEqual(220);
  });

  it.each(inBoth('troubleshooting'))('%s: has every answer of the proxy', (file) => {
    const codes = [...read('src/server/proxy/answers.ts').matchAll(/^ {2}([A-Z_]+): \[/gm)].map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(5);
    expect(codes.filter((code) => !read(file).includes(`\`${code}\``))).toEqual([]);
  });

  it.each(['README.md', 'README.zh-CN.md'])('%s: shows three small pictures of the pages', (file) => {
    const pictures = [...read(file).matchAll(/!\[[^\]]+\]\((docs\/pictures\/[^)]+\.png)\)/g)].map(([, name]) => name);
    expect(new Set(pictures).size).toBe(3);
    for (const picture of pictures) {
      const bytes = readFileSync(path.join(ROOT, picture));
      expect([picture, bytes.subarray(1, 4).toString()]).toEqual([picture, 'PNG']);
      expect(bytes.length, picture).toBeLessThanOrEqual(150_000);
    }
  });

  it.each([
    ['README.md', 'README.zh-CN.md'],
    ...['environment-variables', 'http-api', 'troubleshooting', 'operating'].map(inBoth),
  ])('%s has the same names as %s', (english, chinese) => {
    const names = (file: string) =>
      [
        ...new Set([...read(file).matchAll(/`([a-z][A-Za-z]+:[A-Za-z:-]+|[A-Z][A-Z_]{4,})`/g)].map(([, name]) => name)),
      ].sort();
    expect(names(chinese)).toEqual(names(english));
  });
});

describe('docker-compose.yml', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'app-supervisor-compose-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const made = (env: Env = {}) => makeKeys(folder, env);
  const keys = (env: Env = {}) => made(env).keys;

  /** As a container gets them: those of the service, and those that its command reads from files. */
  let first: Made | undefined;
  const envOf = (service: string): Env => {
    first ??= makeKeys(mkdtempSync(path.join(folder, 'first-')));
    const { keys, password, worker } = first;
    const read =
      service === 'supervisor' ? { ...keys, ...password } : worker(INSTANCES[service as keyof typeof INSTANCES]);
    return { ...services[service].environment, ...read };
  };

  const fleet = resolveConfig({ port: 'free', redisUrl: 'redis://x', knowsItsUrl: false, door: true });
  const launcherEnvOf = async (instance: string): Promise<Env> => {
    const config = (await fleet).instances.find(({ name }) => name === instance)!;
    return environmentOf({
      home: folder,
      instance: config,
      postgres: { host: 'x', port: 1, user: 'x', password: 'x' },
      redis: { stateUrl: 'redis://x', commandUrl: 'redis://x' },
      keys:
        config.part === 'supervisor'
          ? { APP_KEY: 'x', APP_SUPERVISOR_AES_SECRET_KEY: 'ab'.repeat(32) }
          : { APP_KEY: 'x', APP_SUPERVISOR_ENVIRONMENT_KEY: 'ab'.repeat(32) },
      workerRolePassword: 'x',
      rootPassword: 'x',
    });
  };

  it.each(Object.entries(INSTANCES))(
    '%s has the same environment as npm start gives to %s',
    async (service, instance) => {
      const env = envOf(service);
      const launched = await launcherEnvOf(instance);
      const ours = (names: Env) =>
        Object.keys(names).filter((name) => /^(APP|ENVIRONMENT)_/.test(name) && NAMES.has(name));
      // Inside the network of the containers a worker has another address than for people.
      const ofNetwork =
        service === 'supervisor'
          ? ['APP_SUPERVISOR_WORKER_NETWORK', 'APP_SUPERVISOR_TRUSTED_PROXIES']
          : ['ENVIRONMENT_PROXY_URL'];
      expect(ours(env).sort()).toEqual([...ours(launched), ...ofNetwork].sort());
      for (const name of [
        'APP_MODE',
        'APP_DISCOVERY_ADAPTER',
        'APP_PROCESS_ADAPTER',
        'APP_COMMAND_ADAPTER',
        'ENVIRONMENT_NAME',
        'DB_DATABASE',
        'DB_DIALECT',
        'APPEND_PRESET_BUILT_IN_PLUGINS',
      ])
        expect([name, env[name]]).toEqual([name, launched[name]]);
    },
  );

  it.each(Object.keys(INSTANCES))('%s is accepted without a warning, and needs each variable it sets', (service) => {
    const env = envOf(service);
    const config = parseConfig({ ...env }, RUN);
    expect(config).toMatchObject({
      part: service === 'supervisor' ? 'supervisor' : 'worker',
      active: true,
      warnings: [],
    });
    const optional =
      /^(APP_KEY|APP_SUPERVISOR_((AES_SECRET|ENVIRONMENT)_KEY|RESTARTED|TRUSTED_PROXIES|DOORS|WORKER_\w+|ENVIRONMENT_ADDRESSES)|ENVIRONMENT_PROXY_URL)$/;
    for (const name of Object.keys(env).filter((name) => /^(APP|ENVIRONMENT)_/.test(name) && !optional.test(name))) {
      expect(() => parseConfig({ ...env, [name]: undefined }, RUN), name).toThrow(name);
    }
  });

  it('lets the Supervisor reach each worker by the name of its service', () => {
    for (const service of ['worker_a', 'worker_b']) {
      expect(envOf(service).ENVIRONMENT_PROXY_URL).toBe(`http://${service}`);
      const published = services[service].ports![0].split(':').at(-2);
      expect(envOf(service).ENVIRONMENT_URL).toBe(`http://localhost:${published}`);
    }
    expect(['supervisor', 'worker_a', 'worker_b'].map((service) => services[service].ports)).toEqual([
      ['127.0.0.1:14001:80'],
      ['127.0.0.1:15000:80'],
      ['127.0.0.1:16000:80'],
    ]);
  });

  it('limits what each service takes: memory, processes, and the size of its log', () => {
    for (const [name, service] of Object.entries(services) as [string, Record<string, any>][]) {
      expect([name, service.mem_limit, service.pids_limit]).toEqual([name, expect.any(String), expect.any(Number)]);
      expect([name, service.logging.options]).toEqual([name, { 'max-size': '20m', 'max-file': '5' }]);
    }
  });

  it('generates one pair of keys, keeps it, and accepts given keys', () => {
    const made = keys();
    for (const file of ['keys/fleet.env', 'password/supervisor.env', 'workers/env_a/worker.env', 'postgres/password'])
      expect(statSync(path.join(folder, file)).mode & 0o777).toBe(0o600);
    expect(made.APP_KEY).toMatch(/^[0-9a-f]{64}$/);
    expect(made.APP_SUPERVISOR_AES_SECRET_KEY).toMatch(/^[0-9a-f]{64}$/);
    expect(keys()).toEqual(made);
    expect(keys({ APP_KEY: 'given' })).toEqual({ ...made, APP_KEY: 'given' });
    expect(keys()).toEqual({ ...made, APP_KEY: 'given' });
    expect(keys({ APP_KEY: "it's $HOME `id` \\" }).APP_KEY).toBe("it's $HOME `id` \\");
    expect(keys().APP_KEY).toBe("it's $HOME `id` \\");
  });

  it('refuses another AES key than the stored one, and keeps that, unless it is named as the old one', () => {
    const before = keys();
    const other = 'cd'.repeat(32);
    expect(() => keys({ APP_SUPERVISOR_AES_SECRET_KEY: other })).toThrow('"New AES key"');
    const wrong = { APP_SUPERVISOR_AES_SECRET_KEY: other, APP_SUPERVISOR_AES_OLD_SECRET_KEY: 'ef'.repeat(32) };
    expect(() => keys(wrong)).toThrow('"New AES key"');
    expect(keys()).toEqual(before);
    const { APP_SUPERVISOR_AES_SECRET_KEY: stored } = before;
    expect(keys({ APP_SUPERVISOR_AES_SECRET_KEY: stored })).toEqual(before);
    const changed = { ...before, APP_SUPERVISOR_AES_SECRET_KEY: other };
    expect(keys({ APP_SUPERVISOR_AES_SECRET_KEY: other, APP_SUPERVISOR_AES_OLD_SECRET_KEY: stored })).toEqual(changed);
    expect(keys()).toEqual(changed);
  });

  it('gives the Supervisor a password that is asked for or generated, and that no Worker can read', () => {
    const { INIT_ROOT_PASSWORD: generated } = made().password;
    expect(generated).toMatch(/^[0-9a-f]{24}$/);
    expect(made().password.INIT_ROOT_PASSWORD).toBe(generated);
    expect(made({ SUPERVISOR_PASSWORD: 'of my own' }).password.INIT_ROOT_PASSWORD).toBe('of my own');
    for (const known of ['admin123', 'short']) expect(() => made({ SUPERVISOR_PASSWORD: known })).toThrow(/admin123/);
    expect(made().keys).not.toHaveProperty('INIT_ROOT_PASSWORD');
  });

  it('gives each process the secrets that it needs, and no other', () => {
    const secrets = Object.keys(volumes).filter((name) => /^(keys|password|postgres-|redis-)/.test(name));
    const readers = (volume: string) =>
      Object.keys(services).filter((name) =>
        services[name].volumes?.some((each) => String(each).startsWith(`${volume}:`)),
      );
    expect(
      Object.fromEntries(secrets.map((name) => [name, readers(name).filter((reader) => reader !== 'keys')])),
    ).toEqual({
      keys: ['supervisor'],
      'keys-worker-a': ['worker_a'],
      'keys-worker-b': ['worker_b'],
      'keys-door': ['door'],
      password: ['roles', 'supervisor'],
      'postgres-password': ['postgres', 'roles'],
      'redis-users': ['redis'],
    });
    expect(services.supervisor.command).toEqual(['/app/start.sh', '/keys/fleet.env', '/password/supervisor.env']);
    for (const name of ['worker_a', 'worker_b'])
      expect(services[name].command).toEqual(['/app/start.sh', '/keys/worker.env']);

    const { keys, password, worker } = made();
    const [one, other] = ['env_a', 'env_b'].map(worker);
    const names = ['APP_KEY', 'APP_SUPERVISOR_ENVIRONMENT_KEY', 'DB_PASSWORD', 'APP_SUPERVISOR_REDIS_URL'];
    expect(Object.keys(one).sort()).toEqual([...names, 'APP_COMMAND_REDIS_URL'].sort());
    // All Workers have one database role, which is not that of the Supervisor.
    expect(names.filter((name) => one[name] === other[name])).toEqual(['DB_PASSWORD']);
    const { APP_SUPERVISOR_WORKER_DB_PASSWORD: _, ...own } = password;
    const ofSupervisor = new Set(Object.values({ ...keys, ...own }));
    expect(Object.values(one).filter((value) => ofSupervisor.has(value))).toEqual([]);
    // As "Add environment" gives them.
    const config = parseConfig({ ...services.supervisor.environment, ...keys }, RUN) as SupervisorConfig;
    const { variables } = workerKeysOf(
      { fleetKey: keyringOf(config).fleetKey!, redis: config.redis, floor: 0 },
      'env_a',
      null,
    );
    expect(one).toMatchObject(Object.fromEntries(variables));
  });

  it('takes a fleet of release 0.2.0 over, keeps its keys, and says what it makes', () => {
    const earlier = mkdtempSync(path.join(folder, 'earlier-'));
    mkdirSync(path.join(earlier, 'keys'));
    const lines = `APP_KEY='of then'\nAPP_SUPERVISOR_AES_SECRET_KEY='${'ab'.repeat(32)}'\n`;
    writeFileSync(path.join(earlier, 'keys/fleet.env'), lines);
    const { keys, worker, output } = makeKeys(earlier);
    expect(keys).toMatchObject({ APP_KEY: 'of then', APP_SUPERVISOR_AES_SECRET_KEY: 'ab'.repeat(32) });
    expect(worker('env_a').APP_KEY).not.toBe('of then');
    expect(worker('env_a')).not.toHaveProperty('APP_SUPERVISOR_AES_SECRET_KEY');
    expect(output).toMatch(/^Made \/password\/supervisor\.env\.\n(Made .*\n)*Made \/redis\/users\.acl\.\n/);
    expect(makeKeys(earlier).output).not.toContain('Made');
  });

  it('gives an environment that was forgotten what belongs to its floor, and the others what they had', () => {
    const { ENVIRONMENTS } = services.keys.environment!;
    const home = mkdtempSync(path.join(folder, 'forgotten-'));
    const [before, now, later] = [ENVIRONMENTS, 'env_a=100 env_b', 'env_a=100 env_b'].map((names) => {
      const { keys, worker } = makeKeys(home, { ENVIRONMENTS: names });
      const acl = readFileSync(path.join(home, 'redis/users.acl'), 'utf8');
      return { keys, one: worker('env_a'), other: worker('env_b'), acl };
    });
    expect([now.keys, now.other, later]).toEqual([before.keys, before.other, now]);
    const config = parseConfig({ ...services.supervisor.environment, ...now.keys }, RUN) as SupervisorConfig;
    const given = (floor: number) =>
      workerKeysOf({ fleetKey: keyringOf(config).fleetKey!, redis: config.redis, floor }, 'env_a', null);
    expect(now.one).toMatchObject(Object.fromEntries(given(100).variables));
    const rules = [0, 100].map((floor) => given(floor).acl!.replace('ACL SETUSER', 'user'));
    expect(rules.map((rule) => now.acl.includes(rule))).toEqual([false, true]);
    expect(rules.map((rule) => before.acl.includes(rule))).toEqual([true, false]);
  });

  it('gives each Worker a password of its own at each start, which is written nowhere', () => {
    const start = (...files: string[]) => {
      const env = { PATH: process.env.PATH, ENTRYPOINT: path.join(folder, 'entrypoint') };
      return execFileSync('sh', [path.join(ROOT, 'docker/start.sh'), ...files], { env, encoding: 'utf8' }).trim();
    };
    writeFileSync(path.join(folder, 'entrypoint'), '#!/bin/sh\necho "$INIT_ROOT_PASSWORD"\n', { mode: 0o755 });
    made();
    const file = path.join(folder, 'workers/env_a/worker.env');
    const [one, other] = [start(file), start(file)];
    for (const password of [one, other]) expect(password).toMatch(/^[0-9a-f]{48}$/);
    expect(one).not.toBe(other);
    expect(start(path.join(folder, 'password/supervisor.env'))).toBe(made().password.INIT_ROOT_PASSWORD);
    // As Kubernetes mounts a Secret.
    const secret = path.join(folder, 'secret');
    mkdirSync(secret);
    writeFileSync(path.join(secret, 'INIT_ROOT_PASSWORD'), "it's $HOME");
    expect(start(secret)).toBe("it's $HOME");
    expect(read('docker-compose.yml')).not.toContain('admin123');
  });

  it('names each image by a variable, with a tag as its default', () => {
    const images = Object.values(services).flatMap(({ image, build }) =>
      build ? [build.args.NOCOBASE_IMAGE, build.args.NODE_IMAGE] : [image],
    );
    // The Workers, the door and the keys' program take what the Supervisor's service builds.
    const { image: built } = services.supervisor;
    expect(images.filter((image) => image === built)).toHaveLength(4);
    for (const image of images) if (image !== built) expect(image).toMatch(/^[a-z/]+:[\w.-]+$/);
    const [, ...written] = read('docker-compose.yml').split(/^\s*(?:image|\w+_IMAGE): /m);
    expect(written.map((text) => text.split('\n')[0]).filter((text) => !/^\$\{\w+_IMAGE:-/.test(text))).toEqual([
      'nocobase-app-supervisor',
      'nocobase-app-supervisor',
      'nocobase-app-supervisor',
    ]);
    // Those of the Dockerfile are the same.
    const defaults = [...read('Dockerfile').matchAll(/^ARG (\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
    expect(services.supervisor.build!.args).toEqual(Object.fromEntries(defaults));
  });

  it('creates every database that is named', () => {
    const made = [...read('docker/database-roles.sql').matchAll(/^ {2}\('(\w+)', '(\w+)'\)/gm)];
    const named = Object.keys(INSTANCES).map((service) => [envOf(service).DB_DATABASE, envOf(service).DB_USER]);
    expect(named).toEqual(made.map(([, database, owner]) => [database, owner]));
  });

  it('changes owners by the same query as the plugin', () => {
    const query = changedOwnersSql(":'owner'", "f.o = 'postgres'::regrole", null);
    expect(read('docker/change-owners.sql')).toContain(query);
  });

  it('starts in order, each service when its dependencies are healthy', () => {
    for (const { depends_on: needs = {} } of Object.values(services)) {
      for (const [needed, { condition }] of Object.entries(needs)) {
        const ends = needed === 'keys' || needed === 'roles';
        expect(condition).toBe(ends ? 'service_completed_successfully' : 'service_healthy');
        if (!ends) expect(services[needed].healthcheck?.test.every((part) => typeof part === 'string')).toBe(true);
      }
    }
    expect(Object.keys(services.supervisor.depends_on!)).toEqual(['roles', 'redis']);
    expect(Object.keys(services.roles.depends_on!)).toEqual(['postgres']);
    for (const server of ['postgres', 'redis']) expect(Object.keys(services[server].depends_on!)).toEqual(['keys']);
  });

  it('gives each process a user of Redis, by an address that redis-cli takes, and keeps their passwords', () => {
    const { keys: supervisor, worker } = made();
    const users = readFileSync(path.join(folder, 'redis/users.acl'), 'utf8');
    const all = [supervisor, worker('env_a'), worker('env_b')];
    for (const [index, name] of ['supervisor', 'worker-env-a', 'worker-env-b'].entries()) {
      const { APP_SUPERVISOR_REDIS_URL: url = '', APP_COMMAND_REDIS_URL } = all[index];
      expect(url).toMatch(new RegExp(`^redis://${name}:[0-9a-f]{64}@redis:6379/0$`));
      expect(APP_COMMAND_REDIS_URL).toBe(url);
      expect(users).toContain(`user ${name} on resetpass >${new URL(url).password} resetkeys `);
    }
    const administrator = readFileSync(path.join(folder, 'redis/default'), 'utf8');
    expect(users).toMatch(new RegExp(`^user default on >${administrator} ~\\* &\\* \\+@all\n`));
    expect(made().keys.APP_SUPERVISOR_REDIS_URL).toBe(supervisor.APP_SUPERVISOR_REDIS_URL);
    expect(readFileSync(path.join(folder, 'redis/users.acl'), 'utf8')).toBe(users);
  });

  it('gives containers no rights, and those of NocoBase a file system that they cannot change', () => {
    for (const [name, service] of Object.entries(services)) {
      expect(service, name).toMatchObject({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
      // PostgreSQL makes its socket and its lock beside its data.
      expect(service.read_only ?? false, name).toBe(name !== 'postgres');
    }
    for (const name of [...Object.keys(INSTANCES), 'roles']) expect(services[name], name).not.toHaveProperty('cap_add');
    expect(read('Dockerfile')).toMatch(/^USER 1000:1000$/m);
    expect(services.keys.environment).toMatchObject({ OWNER: '1000:1000' });
    const storages = Object.keys(INSTANCES).map((name) => String(services[name].volumes!.at(-1)).split(':')[0]);
    expect(services.keys.volumes!.map((volume) => String(volume).split(':')[0])).toEqual(
      expect.arrayContaining(storages),
    );
  });

  it('keeps all persistent data, and Redis with append-only persistence', () => {
    expect(services.redis.command!.at(-1)).toContain('--appendonly yes');
    const used = Object.values(services).flatMap(({ volumes = [] }) =>
      volumes.flatMap((volume) => (typeof volume === 'string' ? [volume.split(':')[0]] : [])),
    );
    expect(used.filter((name) => !name.startsWith('./') && !(name in volumes))).toEqual([]);
    expect(used.filter((name) => name.startsWith('./') && !existsSync(path.join(ROOT, name)))).toEqual([]);
  });
});
