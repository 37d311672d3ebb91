import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../scripts/lib/root.mjs';
import { foldersIn, linkFiles } from './installation';

const MODULES = path.join(ROOT, 'node_modules');

/** This repository once more, with its packages, whose files are hard links. @param folder is made */
export function makeClone(folder: string): void {
  const apart = ['.git', '.fleet', 'node_modules'].map((name) => path.join(ROOT, name));
  for (const name of fs.readdirSync(ROOT)) {
    const from = path.join(ROOT, name);
    if (!apart.includes(from)) fs.cpSync(from, path.join(folder, name), { recursive: true });
  }
  const modules = path.join(folder, 'node_modules');
  for (const name of ['.bin', ...packages()]) linkFiles(path.join(MODULES, name), path.join(modules, name));
  fs.cpSync(path.join(MODULES, '.package-lock.json'), path.join(modules, '.package-lock.json'));
  // What V8 has made of the packages, so that it need not do it again at each start.
  const compiled = path.join('.fleet', 'compiled');
  if (fs.existsSync(path.join(ROOT, compiled))) linkFiles(path.join(ROOT, compiled), path.join(folder, compiled));
}

const packages = (): string[] =>
  foldersIn(MODULES)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@') ? foldersIn(path.join(MODULES, name)).map((own) => path.join(name, own)) : [name],
    );
