import type { Clock } from '../../clock';
import type { HostConfig } from '../../config/core-settings';
import type { GuardConfig } from '../../config/guards';
import { AppSupervisorError } from '../../errors';
import { type Guard, guardPlugin } from './guard';

/** How long loops may go on before others have their turn, in ms. */
const PAUSE_EVERY = 20;
/** What a loop reads for each item. */
const READS = ['getParsedValue', 'getScope'];

/**
 * The same processor for a loop node, which evaluates its condition for one item after the other without a pause: it throws
 * once that has taken too long. What the loop repeats is not limited by it.
 *
 * @param late whether it has taken too long
 */
const withLimit = (processor: object, late: () => boolean, ms: number): object =>
  new Proxy(processor, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (READS.includes(String(name)) && late()) throw new AppSupervisorError('TOOK_TOO_LONG', { ms });
        return value.apply(target, args);
      };
    },
  });

/** Loops of workflows let others go on: between items, and while they look for the next one. */
export function loops(host: HostConfig, { formulaTimeout: ms }: GuardConfig, clock: Clock): Guard {
  /** When others last had their turn. */
  let turned = 0;
  return {
    afterLoad: (app) => {
      const loop = ['workflow-loop', 'LoopInstruction', 'default'] as const;
      guardPlugin(app, host, loop, ['run', 'resume'], async (original, [node, job, processor, ...more]) => {
        // Nodes that wait for nothing would be repeated without anybody else's turn.
        if (clock.now().mono - turned > PAUSE_EVERY) {
          await clock.sleep(0);
          turned = clock.now().mono;
        }
        const begun = clock.now().mono;
        const late = () => clock.now().mono - begun > ms;
        return original(node, job, withLimit(processor as object, late, ms), ...more);
      });
    },
  };
}
