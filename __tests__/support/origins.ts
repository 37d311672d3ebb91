import { createOrigins, type Origins, RoutingTable, trustOf } from '../../src/server/proxy';
import type { OriginOptions } from '../../src/server/proxy/origins';

/** Below no domain and without limits for frames, unless said otherwise. */
export const originsOf = (table = new RoutingTable(), more: Partial<OriginOptions> = {}): Origins =>
  createOrigins({
    table,
    addresses: { publicUrl: null, appsDomain: null },
    publicPath: '/',
    modernPrefix: 'v',
    trusts: trustOf(['loopback'], () => {}),
    frameAncestors: { main: '', apps: '' },
    ...more,
  });
