/** Installs what all fleets of a machine share, before two of them begin at the same moment. */
import { installTestPlugin } from '../../__tests__/support/test-plugin';
import { ensureBuilt, ensurePluginInstalled } from './plugin';

await ensureBuilt();
await ensurePluginInstalled();
installTestPlugin('core-probe');
