import type { Arrival } from '../../../shared/join';
import { type Message, say } from '../../../shared/message';
import type { Health } from '../../../shared/types';
import { AppSupervisorError, describeError } from '../../errors';

/** What is known of a Worker that should have joined. A pure function. */

export interface ArrivalFacts {
  environment: string;
  /** Where the Supervisor reaches it. */
  address: string;
  /** Null if it has never registered. */
  health: Health | null;
  /** Why nothing that it says is believed. */
  trouble: 'OUTDATED' | 'KEY_DIFFERS' | null;
  /** The state that its probe `__ready` reports; `other`: something else answers there; null: nothing does. */
  probe: string | null;
  /** Of the environment, once it has registered. */
  warnings: Message[];
  /** What keeps visitors or the Supervisor from reaching it. */
  unreached: Message[];
}

export function arrivalOf(facts: ArrivalFacts): Arrival {
  const { environment, address, health, trouble, probe, warnings, unreached } = facts;
  const found = (state: Arrival['state'], ...messages: Message[]): Arrival => ({ state, messages });
  if (trouble === 'KEY_DIFFERS') return found('wrong', say('JOIN_OTHER_KEY', { environment }));
  if (trouble) return found('wrong', describeError(new AppSupervisorError('OUTDATED', { environment })));
  if (health === 'online' || health === 'suspect') return found('arrived', ...unreached, ...warnings);
  switch (probe) {
    case null:
      return found('waiting', say('JOIN_SILENT', { address }));
    case 'starting':
      return found('waiting', say('JOIN_STARTING', { address }));
    case 'joining':
      return found('waiting', say('JOIN_JOINING', { address }));
    case 'alone':
      return found('wrong', say('JOIN_NO_REDIS', { address }));
    case 'standby':
      return found('wrong', say('JOIN_STANDBY', { address, environment }));
    case 'ready':
      return found('wrong', say('JOIN_ELSEWHERE', { address, environment }));
    default:
      return found('waiting', say('JOIN_NO_WORKER', { address }));
  }
}
