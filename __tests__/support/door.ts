import type { DoorPlace } from '../../src/server/door/rules';
import type { AppRoute, RouteSettings, Routes } from '../../src/shared/routes';
import { routeSettingsOf } from './fixtures';

export const PLACE: DoorPlace = {
  folder: '',
  hasTable: true,
  listeners: [],
  hasIPv6: false,
  metrics: null,
  supervisors: [],
  threads: 1,
  connections: 1_000,
  authorities: null,
  globals: [],
};

/** A table of these apps, with the address of each environment. */
export function routesOf(
  apps: Array<Partial<AppRoute> & Pick<AppRoute, 'uid' | 'name'>>,
  addresses: Record<string, string>,
  settings: Partial<RouteSettings> = {},
): Omit<Routes, 'count'> {
  const whole = apps.map(
    (app): AppRoute => ({ hosts: [], environments: Object.keys(addresses), stopped: false, signIn: false, ...app }),
  );
  return {
    settings: routeSettingsOf(settings),
    apps: new Map(whole.map((app) => [app.uid, app])),
    environments: new Map(Object.entries(addresses).map(([name, url]) => [name, { name, url }])),
  };
}
