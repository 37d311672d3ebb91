import { ADMIN, APP_ADMIN, waitFor } from '../../scripts/fleet';
import { type Answer, ask } from './http';

/** An app's administrator at one address: a browser sends a cookie with an image, and nothing else. */
export interface Session {
  token: string;
  Cookie: string;
}

/** @param below its `APP_PUBLIC_PATH`, without the last slash */
export async function signInAt(origin: string, app: string, below = ''): Promise<Session> {
  const { email, password } = app === 'main' ? ADMIN : APP_ADMIN;
  const body = { account: email, password };
  const signIn = () => ask(origin, `${below}/api/auth:signIn`, { method: 'POST', body, headers: { 'X-App': app } });
  const { headers, json } = await waitFor(
    async () => {
      const answer = await signIn();
      return answer.status === 200 ? answer : null;
    },
    { timeout: 120_000, what: `A session in app ${app}, which may have to start` },
  );
  const cookies = headers['set-cookie'] ?? [];
  return { token: json.data.token, Cookie: cookies.map((cookie) => cookie.split(';', 1)[0]).join('; ') };
}

/** @returns the file's address as clients get it */
export async function upload(
  origin: string,
  app: string,
  { token }: Session,
  file: { name: string; content: string },
  below = '',
): Promise<string> {
  const body = new FormData();
  body.append('file', new Blob([file.content]), file.name);
  const headers = { Authorization: `Bearer ${token}`, 'X-App': app };
  const answer = await fetch(`${origin}${below}/api/attachments:create`, { method: 'POST', headers, body });
  return ((await answer.json()) as { data: { url: string } }).data.url;
}

/** As a browser does it: a file's address leads to where the file is read. */
export async function read(origin: string, url: string, headers: Record<string, string> = {}): Promise<Answer> {
  const found = await ask(origin, url, { headers });
  return found.status === 302 ? ask(origin, found.headers.location!, { headers }) : found;
}
