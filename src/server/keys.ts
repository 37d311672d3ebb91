import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { supervisorConfig } from './config';
import { messageOf } from './errors';
import { keyFilesOf } from './supervisor/joining/key-files';

/**
 * The program `dist/server/keys.js`, which needs neither NocoBase nor a network. Out of the variables of a Supervisor it makes what
 * docker-compose.yml and deploy/kubernetes give to Workers, as **Add environment** does:
 *
 *     node keys.js [--supervisor] [--door] FOLDER ENVIRONMENT[=FLOOR]…
 *
 * writes `FOLDER/ENVIRONMENT.env` for each environment, and prints the commands that make the users of Redis, with `--supervisor`
 * also that of the Supervisor. With `--door` it does the same for the doors, in `FOLDER/.door.env`.
 */
const args = process.argv.slice(2);
const [folder = '.', ...environments] = args.filter((arg) => arg !== '--supervisor' && arg !== '--door');
try {
  const others = { supervisor: args.includes('--supervisor'), door: args.includes('--door') };
  const { files, commands } = keyFilesOf(supervisorConfig(), environments, others);
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(path.join(folder, `${name}.env`), content, { mode: 0o600 });
  }
  for (const command of commands) console.log(command);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
