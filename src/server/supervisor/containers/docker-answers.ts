import type Docker from 'dockerode';
import { z } from 'zod';
import type { ContainerStatus } from '../../../shared/container';
import { jsonText } from '../../../shared/json-text';
import { LABEL } from './docker-spec';

/** What a Docker Engine answers. Pure functions. */

/** As `docker stop` leaves it, if the process does not handle the signal. */
const WANTED_CODES = [0, 143];
export const isWanted = (exitCode: number): boolean => WANTED_CODES.includes(exitCode);

export function statusOf(state: Docker.ContainerInspectInfo['State']): ContainerStatus {
  switch (state.Status) {
    case 'running':
      if (state.Health?.Status === 'starting') return 'starting';
      return state.Health?.Status === 'unhealthy' ? 'unhealthy' : 'running';
    case 'restarting':
      return 'restarting';
    case 'exited':
    case 'dead':
      return isWanted(state.ExitCode) && !state.OOMKilled ? 'stopped' : 'died';
    default:
      return 'stopped';
  }
}

const engineEvent = jsonText(
  z
    .object({
      Action: z.string(),
      Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
      timeNano: z.number(),
    })
    .transform(({ Action, Actor, timeNano }) => ({
      environment: Actor.Attributes[LABEL.environment] ?? '',
      container: Actor.ID,
      isOom: Action === 'oom',
      exitCode: Number(Actor.Attributes.exitCode ?? 0),
      /** In ms since 1970. */
      at: Math.floor(timeNano / 1e6),
    })),
);
export type EngineEvent = z.output<typeof engineEvent>;

/** A line of the engine's events; null if it is none. */
export const eventOf = (line: string): EngineEvent | null => engineEvent.safeParse(line).data ?? null;

/** Output of a container without a terminal: each part has a head of 8 bytes with its length at its end. */
export function textOf(raw: Buffer): string {
  let text = '';
  for (let at = 0; at + 8 <= raw.length; ) {
    const length = raw.readUInt32BE(at + 4);
    text += raw.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text;
}
