import fs from 'node:fs/promises';
import path from 'node:path';
import { type Configuration, type MultiStats, rspack, type StatsError } from '@rspack/core';
import { LANES, type Lane } from './allow-list';
import {
  type ClientBundle,
  checkClientBundle,
  checkNothingOfTheHost,
  checkServerBundle,
  dependenciesOf,
  requiredIds,
} from './check';
import { clientConfig, serverConfig, type Target } from './config';
import { externalVersionsScript } from './external-versions';
import { type BundledPackage, type Licenses, licensesOf } from './licenses';

export interface BuildResult {
  /** One sentence for each problem; the build succeeded if there is none. */
  problems: string[];
  files: Array<{ file: string; bytes: number }>;
  /** What of other packages is in it; empty if there are problems. */
  packages: BundledPackage[];
}

interface Evaluation {
  /** Imports a source file; by default each file is evaluated once in this process. */
  evaluate?(file: string): Promise<any>;
}

/** Writes the whole `dist` again and checks the result. */
export async function build(target: Target & Evaluation): Promise<BuildResult> {
  await fs.rm(target.dist, { recursive: true, force: true });
  const stats = await bundle([
    serverConfig(target, {
      'server/index': path.join(target.source, 'server/index.ts'),
      'server/keys': path.join(target.source, 'server/keys.ts'),
      'server/nocobase-door': path.join(target.source, 'server/nocobase-door.ts'),
    }),
    ...(await Promise.all(
      LANES.map(async (lane) => clientConfig(target, lane, await clientEntry(target.source, lane))),
    )),
  ]);
  const { errors = [], warnings = [] } = stats.toJson({ all: false, errors: true, warnings: true });
  const problems = [...new Set([...errors, ...warnings].map(problemOf))];
  const packages: BundledPackage[] = [];
  if (!problems.length) {
    const output = await readOutput(target.dist);
    problems.push(...check(target, output, stats));
    const licenses = await writeLicenses(target, stats);
    problems.push(...licenses.problems);
    packages.push(...licenses.packages);
    await writeExternalVersions(target, output);
  }
  problems.push(...(await copyTranslations(target)));
  if (!problems.length) await writeApiDescription(target);
  await writeCommands(target);
  return { problems, files: await listFiles(target.dist), packages };
}

/** Starts with the location as `file:line:column`, which terminals and editors open. */
function problemOf({ message, moduleName, loc }: StatsError): string {
  const [, position] = /╭─\[(\d+:\d+)\]/.exec(message) ?? [];
  const place = [moduleName?.replace(/^\.\//, ''), position ?? loc?.replace(/-.*/, '')].filter(Boolean).join(':');
  return place ? `${place}\n${message}` : message;
}

async function bundle(configs: Configuration[]): Promise<MultiStats> {
  const compiler = rspack(configs);
  try {
    return await new Promise((resolve, reject) => {
      compiler.run((error, stats) => (error || !stats ? reject(error) : resolve(stats)));
    });
  } finally {
    await new Promise<void>((resolve) => compiler.close(() => resolve()));
  }
}

async function clientEntry(source: string, lane: Lane): Promise<string> {
  const tsx = path.join(source, lane, 'index.tsx');
  return (await exists(tsx)) ? tsx : path.join(source, lane, 'index.ts');
}

interface Output {
  server: string;
  clients: Record<Lane, ClientBundle>;
}

async function readOutput(dist: string): Promise<Output> {
  const [server, ...clients] = await Promise.all([
    fs.readFile(path.join(dist, 'server/index.js'), 'utf8'),
    ...LANES.map(async (lane) => [lane, await readClient(path.join(dist, lane))] as const),
  ]);
  return { server, clients: Object.fromEntries(clients) as Output['clients'] };
}

async function readClient(folder: string): Promise<ClientBundle> {
  const names = (await exists(folder)) ? (await fs.readdir(folder)).filter((name) => name.endsWith('.js')) : [];
  const chunks: Record<string, string> = {};
  for (const name of names) chunks[name] = await fs.readFile(path.join(folder, name), 'utf8');
  const { 'index.js': index = null, ...others } = chunks;
  return { index, chunks: others };
}

const check = ({ packageName }: Target, output: Output, stats: MultiStats): string[] => [
  ...checkServerBundle(output.server),
  ...LANES.flatMap((lane) => checkClientBundle(packageName, lane, output.clients[lane])),
  ...stats.stats.flatMap((child) => checkNothingOfTheHost(child.compilation.name ?? 'bundle', bundledFiles(child))),
];

/** ES modules are merged into one: they are `orphan`, and part of that module. Unused modules are in none. */
function bundledFiles(child: MultiStats['stats'][number]): string[] {
  const everything = { modules: true, nestedModules: true, orphanModules: true };
  const { modules = [] } = child.toJson({ all: false, ...everything, modulesSpace: 1e6, nestedModulesSpace: 1e6 });
  return modules
    .filter(({ orphan }) => !orphan)
    .flatMap((module) => [module, ...(module.modules ?? [])])
    .map((module) => module.nameForCondition ?? '');
}

async function writeLicenses({ dist }: Target, { stats }: MultiStats): Promise<Licenses> {
  const licenses = await licensesOf(stats.flatMap(bundledFiles));
  await fs.writeFile(path.join(dist, 'third-party-licenses.txt'), licenses.text);
  return licenses;
}

async function writeExternalVersions({ dist }: Target, { server, clients }: Output): Promise<void> {
  const ids = [...requiredIds(server), ...LANES.flatMap((lane) => dependenciesOf(clients[lane].index ?? ''))];
  await fs.writeFile(path.join(dist, 'externalVersion.js'), externalVersionsScript(ids));
}

/** @returns one sentence for each problem */
async function copyTranslations(target: Target): Promise<string[]> {
  const problems: string[] = [];
  const folder = path.join(target.source, 'locale');
  const to = path.join(target.dist, 'locale');
  await fs.mkdir(to, { recursive: true });
  for (const name of await fs.readdir(folder)) {
    if (!name.endsWith('.json')) continue;
    const text = await fs.readFile(path.join(folder, name), 'utf8');
    try {
      JSON.parse(text);
    } catch (error) {
      problems.push(`src/locale/${name}: ${(error as Error).message}`);
    }
    await fs.writeFile(path.join(to, name), text);
  }
  return problems;
}

/** Where the core looks for commands (plugin-manager.ts:389); their code is in the server bundle. */
async function writeCommands({ dist }: Target): Promise<void> {
  await fs.mkdir(path.join(dist, 'server/commands'), { recursive: true });
  const text = "module.exports = (app) => require('../index.js').registerOwnCommands(app);\n";
  await fs.writeFile(path.join(dist, 'server/commands/index.js'), text);
}

/**
 * Where the core looks for it (plugin-api-doc/dist/server/swagger/loader.js); data, so that no code runs after its
 * lockdown.
 */
async function writeApiDescription({
  source,
  dist,
  evaluate = (file) => import(file),
}: Target & Evaluation): Promise<void> {
  const module = path.join(source, 'server/supervisor/api/openapi.ts');
  if (!(await exists(module))) return;
  const { apiDescription } = await evaluate(module);
  await fs.mkdir(path.join(dist, 'swagger'), { recursive: true });
  await fs.writeFile(path.join(dist, 'swagger/index.json'), JSON.stringify(apiDescription));
}

async function listFiles(folder: string): Promise<BuildResult['files']> {
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return Promise.all(
    files.sort().map(async (file) => ({ file: path.relative(folder, file), bytes: (await fs.stat(file)).size })),
  );
}

const exists = (file: string) =>
  fs.access(file).then(
    () => true,
    () => false,
  );
