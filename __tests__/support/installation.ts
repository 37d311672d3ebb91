import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { ADMIN, APP_ADMIN, Api, freePort, HOST, Part } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';

const run = promisify(execFile);

/**
 * A NocoBase as somebody has it who never heard of this repository: a folder of its own with `package.json`, `.env` and
 * `node_modules`, in which NocoBase's own command runs. Packages of NocoBase are files of this folder (hard links; those
 * that NocoBase writes to are copies), all others are links.
 */
export class Installation {
  readonly url: string;
  private constructor(
    readonly folder: string,
    private readonly port: number,
    readonly nocobase: Part,
  ) {
    this.url = `http://${HOST}:${port}`;
  }

  static async create(): Promise<Installation> {
    const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-elsewhere-'));
    const port = await freePort();
    const scripts = { nocobase: 'nocobase-v1', start: 'nocobase-v1 start', postinstall: 'nocobase-v1 postinstall' };
    fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, scripts }));
    fs.writeFileSync(path.join(folder, '.env.e2e'), '');
    makeNodeModules(path.join(folder, 'node_modules'));
    const nocobase = new Part({
      name: 'NocoBase',
      logFile: path.join(folder, 'log'),
      command: () => ({
        program: 'npx',
        args: ['nocobase-v1', 'start', '--quickstart'],
        options: { cwd: folder, env: environment() },
      }),
      ready: async () => {
        const answer = await fetch(`http://${HOST}:${port}${readyPath(folder)}`).catch(() => null);
        return answer?.ok ?? false;
      },
      readyWithin: 240_000,
      readyEvery: 300,
      stopSignal: 'SIGTERM',
      stopWithin: 20_000,
    });
    return new Installation(folder, port, nocobase);
  }

  /** Writes `.env`, whole. */
  configure(variables: Record<string, string>): void {
    const all = { APP_PORT: String(this.port), APP_HOST: HOST, ...variables };
    const lines = Object.entries(all).map(([name, value]) => `${name}=${value}`);
    fs.writeFileSync(path.join(this.folder, '.env'), `${lines.join('\n')}\n`);
  }

  /** Commands as they stand in the README. @returns what they wrote. @throws unless all succeed. */
  async shell(commands: string): Promise<string> {
    const { stdout, stderr } = await run('bash', ['-euc', commands], { cwd: this.folder, env: environment() });
    return stdout + stderr;
  }

  /** @param below its `APP_PUBLIC_PATH`, without the last slash */
  signIn(app: string | null = null, below = ''): Promise<Api> {
    const env = fs.readFileSync(path.join(this.folder, '.env'), 'utf8');
    const password = /^INIT_ROOT_PASSWORD=(.*)$/m.exec(env)?.[1] ?? ADMIN.password;
    return Api.signIn(`${this.url}${below}`, app ? APP_ADMIN : { ...ADMIN, password }, app);
  }

  log(): string {
    return fs.readFileSync(this.nocobase.logFile, 'utf8');
  }

  async remove(): Promise<void> {
    await this.nocobase.stop();
    // Its log may still be written to when it ends.
    await fs.promises.rm(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

/** Nothing of this test run reaches the other NocoBase but what finds programs. */
const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env.PATH, HOME: process.env.HOME });

function readyPath(folder: string): string {
  const publicPath = /^APP_PUBLIC_PATH=(.*)$/m.exec(fs.readFileSync(path.join(folder, '.env'), 'utf8'))?.[1] ?? '/';
  return `${publicPath}api/__health_check`;
}

function makeNodeModules(target: string): void {
  const source = path.join(ROOT, 'node_modules');
  for (const name of fs.readdirSync(source)) {
    if (name.startsWith('.') && name !== '.bin') continue;
    if (name === '@nocobase' || name === '.bin') continue;
    fs.mkdirSync(target, { recursive: true });
    fs.symlinkSync(path.join(source, name), path.join(target, name));
  }
  // Links within it lead to the packages beside it.
  fs.cpSync(path.join(source, '.bin'), path.join(target, '.bin'), { recursive: true, verbatimSymlinks: true });
  for (const name of foldersIn(path.join(source, '@nocobase'))) {
    const [from, to] = [path.join(source, '@nocobase', name), path.join(target, '@nocobase', name)];
    // NocoBase writes its own address into these pages.
    if (name === 'app') fs.cpSync(from, to, { recursive: true });
    else linkFiles(from, to);
  }
}

/**
 * Leaves out links: those among NocoBase's packages are plugins that fleets and tests of this repository have installed, some
 * for as long as a test takes.
 */
export const foldersIn = (folder: string): string[] =>
  fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));

export function linkFiles(from: string, to: string): void {
  fs.mkdirSync(to, { recursive: true });
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) linkFiles(source, target);
    else if (entry.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(source), target);
    else linkOrCopy(source, target);
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    fs.linkSync(source, target);
  } catch {
    // Another file system.
    fs.copyFileSync(source, target);
  }
}
