import fs from 'node:fs/promises';
import path from 'node:path';

export interface BundledPackage {
  name: string;
  version: string;
}

export interface Licenses {
  /** The packages of which something is in a bundle. */
  packages: BundledPackage[];
  /** Text of the licence of each package, distributed with the bundle. */
  text: string;
  /** One sentence for each package without a licence text. */
  problems: string[];
}

/** @param modules files in a bundle */
export async function licensesOf(modules: string[]): Promise<Licenses> {
  const folders = new Set(
    modules.flatMap((file) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0] ?? []),
  );
  const packages: BundledPackage[] = [];
  const texts: string[] = [];
  const problems: string[] = [];
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(await fs.readFile(path.join(folder, 'package.json'), 'utf8'));
    packages.push({ name, version });
    const file = (await fs.readdir(folder)).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
    if (!file) problems.push(`${name} is bundled and has no licence text to be passed on.`);
    else
      texts.push(`${name} ${version} (${license})\n\n${(await fs.readFile(path.join(folder, file), 'utf8')).trim()}\n`);
  }
  return { packages, text: texts.join(`\n${'-'.repeat(80)}\n\n`), problems };
}
