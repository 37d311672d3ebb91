import { AppSupervisor, Gateway } from '@nocobase/server';
import { systemClock } from '../../../src/server/clock';
import { BOUNDS } from '../../../src/server/config/bounds';
import { createGuard, createSelector, tuneServer } from '../../../src/server/proxy';
import { appNameOf, origins, proxy, table } from './proxied';

/**
 * The proxy module in the core's gateway, without the rest of NocoBase: before the core's own chain, as in the plugin,
 * or with BEHIND_CHAIN=on as the adapter that the core calls when its selectors have found the app.
 */
const { PORT, HOST, BEHIND_CHAIN } = process.env;
const gateway = Gateway.getInstance();
gateway.addAppSelectorMiddleware(createSelector(() => table) as never, { tag: 'app-supervisor', after: 'core' });
const options = {
  isKnown: (name: string) => table.app(name) !== undefined,
  isLoaded: () => true,
  appNameOf,
  origins,
  bounds: BOUNDS,
  trusts: () => false,
  secretOf: () => 'a secret of main',
  clock: systemClock,
  hasPackage: () => true,
  apiBase: '/api',
  pluginStaticsPath: '/static/plugins/',
  publicPath: '/',
};
const { registerRequestHandler } = Gateway as unknown as { registerRequestHandler(handler: unknown): void };
registerRequestHandler.call(Gateway, createGuard({ ...options, serve: BEHIND_CHAIN === 'on' ? null : proxy.web }));
Object.assign(AppSupervisor.getInstance().getDiscoveryAdapter(), {
  proxyWeb: async (...args: Parameters<typeof proxy.web>) => proxy.web(...args),
});
gateway.start({ port: Number(PORT), host: HOST, callback: tuneServer } as never);
