import type { Routes } from '../../../shared/routes';
import { configurationOf } from './configuration';
import lua from './door.lua';
import { type Maps, mapsOf, textOf } from './maps';
import { answerFiles } from './own-answers';
import { CONFIGURATION, type DoorFiles, type DoorPlace, LUA, MAPS } from './place';

export { unusableOf } from './backends';
export { CERTIFICATES, CONFIGURATION, type DoorFiles, type DoorPlace, type Listener, SOCKET, TABLES } from './place';

/** All that HAProxy reads at its start, for this table. @param configuration, maps of the table, if they have been made before */
export function filesOf(
  place: DoorPlace,
  routes: Omit<Routes, 'count'>,
  configuration = configurationOf(place, routes),
  maps: Maps = mapsOf(routes),
): DoorFiles {
  const texts = (Object.keys(MAPS) as Array<keyof typeof MAPS>).map((name) => [MAPS[name], textOf(maps[name])]);
  return {
    [CONFIGURATION]: configuration,
    [LUA]: lua,
    ...answerFiles(),
    ...Object.fromEntries(texts),
  };
}
