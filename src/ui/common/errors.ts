import english from '../../locale/en-US.json';
import type { Translate } from '../host';
import { key } from './text';

/** What the server says went wrong, in an answer, a status or a step. */
export interface Problem {
  code: string;
  message: string;
  field?: string;
  details?: Record<string, string | number>;
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
  const told = response.data?.errors ?? (response.data?.error ? [response.data.error] : []);
  const problems = told.map((problem) => ({
    ...problem,
    code: problem.code ?? 'FAILED',
    message: problem.message ?? '',
  }));
  return new ApiError(response.status, problems.length ? problems : [{ code: 'FAILED', message: message ?? '' }]);
}

const texts: Record<string, string> = english;
const NO_ANSWER = key('The server does not answer. Is it running?');

/** In the reader's language where the code is known, else what the server said. */
export function problemText(t: Translate, problem: Problem): string {
  if (problem.code === 'NO_ANSWER') {
    return t(NO_ANSWER);
  }
  const name = `error.${problem.code}`;
  const template = texts[name];
  const values = template && (problem.details ?? valuesIn(template, problem.message));
  const text = values && t(name, values);
  return text && text !== name && !text.includes('{{') ? text : problem.message;
}

/** What filled `template` to give `message`; null if it did not come from it. */
export function valuesIn(template: string, message: string): Record<string, string> | null {
  const pattern = template
    .split(/\{\{(\w+)\}\}/)
    .map((part, index) => (index % 2 ? `(?<${part}>.*?)` : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')));
  return (
    new RegExp(`^${pattern.join('')}$`, 's').exec(message)?.groups ??
    (pattern.length === 1 && template === message ? {} : null)
  );
}
