import type { OperationRow } from '../../src/shared/types';
import type { RecordedProcess } from '../fleet/process-recorder';
import type { Harm } from './plan';

/** The observations of a run, as plain data, for the checker. Times are ms since 1970. */
export interface History {
  seed: number;
  begunAt: number;
  endedAt: number;
  asked: Asked[];
  /** All operations as the Supervisor lists them at the end. */
  recorded: OperationRow[];
  processes: Life[];
  harms: Harmed[];
  samples: Sample[];
  settlings: Settling[];
  visits: Array<{ at: number; app: string }>;
  /** Requests to an undisturbed app in an undisturbed environment. */
  requests: Requests[];
}

/** One change as its client saw it; the changes of one app follow one another. */
export interface Asked {
  at: number;
  app: string;
  action: 'create' | 'update' | 'start' | 'stop' | 'restart' | 'upgrade' | 'destroy';
  /** For `create`, and for an `update` that moves the app. */
  environments: string[] | null;
  startMode: 'withMain' | 'onVisit' | null;
  /** Id of the operation if it was accepted; also if it was found in the list because no answer arrived. */
  id: string | null;
  /** If it was refused: the Supervisor's code, if any, and the whole answer. */
  refusal: { code: string | null; answer: string } | null;
}

/** A process, with its own recording and what was done to it. */
export interface Life extends RecordedProcess {
  /** Null while it lives. */
  endedAt: number | null;
  /** Whether the run ended it. */
  ended: boolean;
}

export interface Harmed {
  target: string;
  harm: Harm;
  from: number;
  /** When it worked again. */
  to: number;
  /** For cut locks: the boots that held them. */
  locks?: Array<{ app: string; environment: string }>;
}

/** The Supervisor's list at some moment between the two times. */
export interface Sample {
  from: number;
  to: number;
  /** Status by app and environment. */
  shown: Record<string, Record<string, string>>;
}

/** The answer of an environment itself to a request for an app. */
export interface Look extends Sample {
  /** HTTP status and code, by app and environment; absent if a request would start the app. */
  answered: Record<string, Record<string, string>>;
}

/** The quiet time after a round: everything works again, and no new changes are requested. */
export interface Settling {
  /** When everything worked again. */
  healedAt: number;
  /** When the last operation ended; null if one never did. */
  operationsEndedAt: number | null;
  looks: Look[];
  /** Locks on apps' databases that were held at its end. */
  locks: string[];
}

export interface Requests {
  through: string;
  asked: number;
  failed: Array<{ from: number; to: number; why: string }>;
  /** Of the successful ones, in ms. */
  slowest: number;
}
