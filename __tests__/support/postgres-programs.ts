import fs from 'node:fs';
import path from 'node:path';
import { findProgram } from '../../scripts/lib/programs.mjs';

/** Where pg_dump and the server beside it lie; on Debian what is on the PATH is a script that looks for them. */
export function postgresPrograms(): string {
  const versions = fs.existsSync('/usr/lib/postgresql') ? fs.readdirSync('/usr/lib/postgresql') : [];
  const folders = versions.map((version) => `/usr/lib/postgresql/${version}/bin`);
  const found = findProgram('postgresql');
  if (found) folders.push(path.dirname(fs.realpathSync(found)));
  const whole = folders.find((folder) =>
    ['postgres', 'initdb', 'pg_dump', 'pg_restore'].every((name) => fs.existsSync(path.join(folder, name))),
  );
  if (!whole) throw new Error('There is no PostgreSQL with pg_dump here; npm test installs one.');
  return whole;
}
