import type { Routes } from '../../shared/routes';
import { BOUNDS } from '../config/bounds';

/** Before the first table: everything is left to the Supervisor, whose settings are those that nobody has changed. */
export const NO_ROUTES: Omit<Routes, 'count'> = {
  settings: {
    appsDomain: null,
    publicUrl: null,
    trustedProxies: [],
    frameAncestors: { main: '', apps: '' },
    apiBase: '/api',
    publicPath: '/',
    wsPath: '/ws',
    modernPrefix: 'v',
    portals: false,
    bounds: BOUNDS,
  },
  apps: new Map(),
  environments: new Map(),
};
