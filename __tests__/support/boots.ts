import type { Fleet } from '../../scripts/fleet';
import { readWitness, type WitnessedBoot, witnessFolder } from '../../scripts/fleet/witness';

export interface Boot extends WitnessedBoot {
  environment: string;
  pid: number;
}

/** Every boot of an app that any process of the fleet began, as the processes themselves have witnessed it, in order. */
export const bootsOf = (fleet: Fleet, app: string): Boot[] =>
  readWitness(witnessFolder(fleet.config.name))
    .flatMap(({ part, pid, boots }) => boots.map((boot) => ({ ...boot, environment: part, pid })))
    .filter((boot) => boot.app === app)
    .sort((a, b) => a.addedAt - b.addedAt);
