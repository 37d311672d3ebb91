import { type Message, render } from '../../shared/message';
import type { Translate } from '../host';
import { key } from './text';

/** An error in an answer; errors of the core have only a text. */
export interface Problem extends Message {
  message: string;
  field?: string;
}

/** A rejected or failed request: its first problem, and all of them. */
export class ApiError extends Error {
  readonly code: string;

  constructor(
    /** HTTP status; 0 if there was no answer. */
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

/**
 * Reads the plugin's own error format, the core's `{errors:[{message}]}` and the gateway's `{error}`. An `ApiError` is
 * returned unchanged.
 */
export function apiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  const { message, response } = thrown as FailedRequest;
  if (!response) {
    return new ApiError(0, [{ code: 'NO_ANSWER', message: message ?? String(thrown) }]);
  }
  const { errors, error } = response.data ?? {};
  const reported = Array.isArray(errors) ? errors.filter(Boolean) : error ? [error] : [];
  const problems = reported.map((problem) => ({
    ...problem,
    code: problem.code ?? 'FAILED',
    message: problem.message ?? '',
  }));
  return new ApiError(response.status, problems.length ? problems : [{ code: 'FAILED', message: message ?? '' }]);
}

const NO_ANSWER = key('The server does not respond. Is it running?');

/** In the user's language if the code is one of ours, which have params; otherwise the text of the server. */
export function problemText(t: Translate, problem: Problem): string {
  if (problem.code === 'NO_ANSWER') return t(NO_ANSWER);
  const name = `message.${problem.code}`;
  return problem.params && t(name) !== name ? messageText(t, problem) : problem.message;
}

/** Beside its field: with the field's name on the page, and without saying that something was wrong. */
export function fieldText(t: Translate, problem: Problem, label: string): string {
  const wrong = problem.code === 'INVALID_INPUT' ? problem.params?.problem : undefined;
  if (typeof wrong !== 'object') return problemText(t, problem);
  return messageText(t, { ...wrong, params: { ...wrong.params, field: label } });
}

/** A message of the server in the user's language. */
export const messageText = (t: Translate, message: Message): string => render(t, message);
