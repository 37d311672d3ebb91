import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ADMIN, ensureDatabase, type PostgresServer, query } from '../../scripts/fleet';
import { ensureBuilt } from '../../scripts/fleet/plugin';
import { ROOT } from '../../scripts/lib/root.mjs';
import { Installation } from './installation';

/** What the README leaves to its reader. */
const CHOSEN = { APP_KEY: 'elsewhere', APP_SUPERVISOR_AES_SECRET_KEY: 'cd'.repeat(32) };

export const UNPACK = '**2. Unpack it**';
export const LINK = '**4. Link the plugin';
export const REMOVAL = '**Uninstalling**';
const PRESET = 'All roles:';
const SHARED_MEMORY = 'One process for everything';

/** A NocoBase somewhere else on this machine, into which the plugin is installed by the commands of the README as they stand. */
export class ReadmeInstallation {
  private constructor(
    readonly elsewhere: Installation,
    private readonly server: PostgresServer,
    private readonly database: string,
  ) {}

  /** Not started, without the plugin. */
  static async create(server: PostgresServer, database: string): Promise<ReadmeInstallation> {
    await ensureDatabase(server, database);
    const installation = new ReadmeInstallation(await Installation.create(), server, database);
    installation.elsewhere.configure(installation.existing());
    return installation;
  }

  /** @param databases that tests have made besides */
  async remove(...databases: string[]): Promise<void> {
    await this.elsewhere.remove();
    for (const name of [this.database, ...databases])
      await query(this.server, 'postgres', `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }

  /** Environment variables that are there without the plugin. */
  existing(): Record<string, string> {
    const { host, port, user, password } = this.server;
    return {
      APP_ENV: 'production',
      APP_LAUNCH_MODE: 'node',
      TZ: 'UTC',
      INIT_ROOT_EMAIL: ADMIN.email,
      INIT_ROOT_PASSWORD: ADMIN.password,
      DB_DIALECT: 'postgres',
      DB_HOST: host,
      DB_PORT: String(port),
      DB_USER: user,
      DB_PASSWORD: password,
      DB_DATABASE: this.database,
      APP_KEY: CHOSEN.APP_KEY,
    };
  }

  /** Those with it, in shared memory. @param preset whether it is a built-in plugin */
  withPlugin(preset: boolean): Record<string, string> {
    const { APPEND_PRESET_BUILT_IN_PLUGINS, ...common } = variables(PRESET);
    const builtIn = preset && { APPEND_PRESET_BUILT_IN_PLUGINS };
    return { ...this.existing(), ...common, ...builtIn, ...variables(SHARED_MEMORY) };
  }

  /** Runs the commands after a sentence of the README. */
  async run(...after: string[]): Promise<void> {
    for (const sentence of after) await this.elsewhere.shell(readme(sentence));
  }

  /** @param version another one than that of the sources */
  async pack(version?: string): Promise<void> {
    await ensureBuilt();
    execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', this.elsewhere.folder], { cwd: ROOT });
    if (!version) return;
    await this.elsewhere.shell(`
    mkdir repack && tar -xzf *.tgz -C repack && rm *.tgz
    cd repack/package && npm version ${version} --no-git-tag-version >/dev/null
    npm pack --ignore-scripts --pack-destination ../.. >/dev/null && cd ../.. && rm -r repack`);
  }
}

/** The code after a sentence of the README, or of the page on operating that it leads to. */
function readme(after: string): string {
  const text = ['README.md', 'docs/reference/operating.md']
    .map((file) => fs.readFileSync(path.join(ROOT, file), 'utf8'))
    .join('\n');
  const found = text.slice(text.indexOf(after)).match(/```bash\n(.*?)```/s);
  if (!text.includes(after) || !found) throw new Error(`The README has no commands after "${after}".`);
  return found[1];
}

/** Variables as the README lists them, `…` filled in. */
function variables(after: string): Record<string, string> {
  const lines = [...readme(after).matchAll(/^([A-Z_]+)=(\S+)/gm)];
  return Object.fromEntries(lines.map(([, name, value]) => [name, value === '…' ? (CHOSEN as any)[name] : value]));
}
