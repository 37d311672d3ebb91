import type { IncomingMessage } from 'node:http';
import { SSO_RESOURCE } from '../../shared/sso';
import { languageOf, negotiatorOf } from '../visitor-texts';
import type { Answer } from './answers';
import { type Face, visitorPage } from './visitor-page';

/**
 * @param path of the request
 * @param app absent if no app has the address: then nothing is shown that the visitor has not entered
 * @param main the path of the main app, where the visitor is at its host
 * @returns the page, or null for a request that does not come from a browser's address bar
 */
export function pageFor(
  req: IncomingMessage,
  path: string,
  apiBase: string,
  what: Answer,
  app: Face | null = null,
  main: string | null = null,
): string | null {
  return isForPeople(req, path, apiBase)
    ? visitorPage({ ...what, language: languageOf(req.headers), app, main })
    : null;
}

/** Whether a browser shows the answer to a person. */
export function isForPeople(req: IncomingMessage, path: string, apiBase: string): boolean {
  if (req.method !== 'GET' && req.method !== 'HEAD') return false;
  if (!/text\//i.test(req.headers.accept ?? '')) return false; // most requests, at a look
  // JSON if the client accepts both, like a program that names neither.
  const wanted = negotiatorOf(req.headers).mediaType(['application/json', 'text/html']);
  // The API answers programs, except where a sign-in leads a person there.
  return wanted === 'text/html' && (!path.startsWith(`${apiBase}/`) || path.endsWith(SSO_CALLBACK));
}

const SSO_CALLBACK = `/${SSO_RESOURCE}:callback`;
