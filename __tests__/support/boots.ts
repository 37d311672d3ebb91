import type { Fleet } from '../../scripts/fleet';
import { type RecordedBoot, readRecordings, recordingsOf } from '../../scripts/fleet/process-recorder';

export interface Boot extends RecordedBoot {
  environment: string;
  pid: number;
}

/** Every boot of an app that any process of the fleet began, as the process recorder has it, in order. */
export const bootsOf = (fleet: Fleet, app: string): Boot[] =>
  readRecordings(recordingsOf(fleet.config.name))
    .flatMap(({ part, pid, boots }) => boots.map((boot) => ({ ...boot, environment: part, pid })))
    .filter((boot) => boot.app === app)
    .sort((a, b) => a.addedAt - b.addedAt);
