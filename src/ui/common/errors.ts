import { type Message, render } from '../../shared/message';
import type { Translate } from '../host';
import { key } from './text';

/** What the server says went wrong in an answer: of the core, a text alone. */
export interface Problem extends Message {
  message: string;
  field?: string;
}

/** A refused or failed request: its first problem, and all of them. */
export class ApiError extends Error {
  readonly code: string;

  constructor(
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    readonly problems: Problem[],
  ) {
    super(problems[0].message);
    this.name = 'ApiError';
    this.code = problems[0].code;
  }
}

interface FailedRequest {
  message?: string;
  response?: { status: number; data?: { errors?: Partial<Problem>[]; error?: Partial<Problem> } };
}

/** Reads the plugin's own error shape, the core's `{errors:[{message}]}` and the gateway's `{error}`; what was read already stays. */
export function apiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  const { message, response } = thrown as FailedRequest;
  if (!response) {
    return new ApiError(0, [{ code: 'NO_ANSWER', message: message ?? String(thrown) }]);
  }
  const { errors, error } = response.data ?? {};
  const told = Array.isArray(errors) ? errors.filter(Boolean) : error ? [error] : [];
  const problems = told.map((problem) => ({
    ...problem,
    code: problem.code ?? 'FAILED',
    message: problem.message ?? '',
  }));
  return new ApiError(response.status, problems.length ? problems : [{ code: 'FAILED', message: message ?? '' }]);
}

const NO_ANSWER = key('The server does not respond. Is it running?');

/** In the reader's language where the code is one of ours, which come with their params, else what the server said. */
export function problemText(t: Translate, problem: Problem): string {
  if (problem.code === 'NO_ANSWER') return t(NO_ANSWER);
  const name = `message.${problem.code}`;
  return problem.params && t(name) !== name ? messageText(t, problem) : problem.message;
}

/** What the server says, in the reader's language. */
export const messageText = (t: Translate, said: Message): string => render(t, said);
