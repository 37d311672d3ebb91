import { spawn } from 'node:child_process';
import path from 'node:path';
import { ROOT } from '../../scripts/lib/root.mjs';

export interface Run {
  /** Null when it did not end by itself. */
  code: number | null;
  output: string;
}

/** A NocoBase command such as `db:auth` to its end, or for as long as it may take. */
export function commandLine(command: string[], env: NodeJS.ProcessEnv, timeout = 180_000): Promise<Run> {
  const program = ['scripts/fleet/instance-env.cjs', 'node_modules/@nocobase/app/lib/index.js'];
  const [preload, main] = program.map((file) => path.join(ROOT, file));
  const child = spawn(process.execPath, ['--require', preload, main, ...command], { cwd: ROOT, env });
  let output = '';
  const collect = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const timer = setTimeout(() => child.kill('SIGKILL'), timeout);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}
