/** Prepares what all fleets of a machine share, before two of them begin at the same moment. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { installTestPlugin } from '../../__tests__/support/test-plugin';
import { NODE_OPTIONS } from './environment';
import { ensureBuilt, ensurePluginInstalled } from './plugin';

await ensureBuilt();
await ensurePluginInstalled();
installTestPlugin('core-probe');
const env = { ...process.env, NODE_OPTIONS };
execFileSync(process.execPath, [path.join(import.meta.dirname, 'compile.cjs')], {
  env,
  stdio: ['ignore', 'ignore', 'inherit'],
});
