import type { OperationRow } from '../../src/shared/types';
import type { RecordedProcess } from '../fleet/process-recorder';
import type { Harm } from './plan';

/** What a run saw, in plain data: what the checker judges. Times are ms since 1970. */
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
  /** Requests to the app that nothing was done to, in an environment that nothing was done to. */
  requests: Requests[];
}

/** One change as its client saw it; those of one app follow one another. */
export interface Asked {
  at: number;
  app: string;
  action: 'create' | 'update' | 'start' | 'stop' | 'restart' | 'upgrade' | 'destroy';
  /** Of `create`, and of an `update` that moves the app. */
  environments: string[] | null;
  startMode: 'withMain' | 'onVisit' | null;
  /** Of the operation, if it was accepted; also when that was told from the record, for no answer came. */
  id: string | null;
  /** If it was refused: by which of the Supervisor's codes, if any, and the whole answer. */
  refusal: { code: string | null; answer: string } | null;
}

/** A process, by what it wrote down itself and by what was done to it. */
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
  /** When it was back at work. */
  to: number;
  /** Of cut locks: which boots held them. */
  locks?: Array<{ app: string; environment: string }>;
}

/** What the Supervisor's list said at a moment between the two times. */
export interface Sample {
  from: number;
  to: number;
  /** Status by app and environment. */
  shown: Record<string, Record<string, string>>;
}

/** What an environment itself answers when it is asked for an app. */
export interface Look extends Sample {
  /** HTTP status and code, by app and environment; absent where asking would wake the app. */
  answered: Record<string, Record<string, string>>;
}

/** The quiet after a round: everything that was harmed works again, and nothing new is asked for. */
export interface Settling {
  /** When everything worked again. */
  healedAt: number;
  /** When the last operation ended; null when one never did. */
  operationsEndedAt: number | null;
  looks: Look[];
  /** Locks on apps' databases that somebody held at the end of it. */
  locks: string[];
}

export interface Requests {
  through: string;
  asked: number;
  failed: Array<{ from: number; to: number; why: string }>;
  /** Of those that were answered well, in ms. */
  slowest: number;
}
