import { type Answer, ask } from './http';

/** What a browser sends for its address bar, a link, or a redirect. */
export const NAVIGATION = {
  Accept: 'text/html,application/xhtml+xml',
  'Accept-Language': 'en',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-Dest': 'document',
  'Sec-Fetch-Site': 'none',
};

/** What the page that ends a sign-in gives to the client, and where it leads; null for any other answer. */
export function handedOver({ text }: Pick<Answer, 'text'>): { key: string; session: string; page: string } | null {
  const found = /<body data-key="([^"]*)" data-session="([^"]*)" data-page="([^"]*)">/.exec(text);
  if (!found) return null;
  const [key, session, page] = found
    .slice(1)
    .map((value) => value.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code))));
  return { key, session, page };
}

/** A browser without JavaScript, which does what the page of a sign-in does: it has cookies for each host, and follows redirects. */
export class Visitor {
  private readonly jars = new Map<string, Map<string, string>>();
  /** The addresses that it was sent to last, in their order. */
  trail: string[] = [];
  /** The session that the last sign-in to an app has given to its client; empty: none. */
  session = '';

  /** @param origin of the server, whatever host is asked for */
  constructor(private readonly origin: string) {}

  cookies(host = new URL(this.origin).host): Map<string, string> {
    const jar = this.jars.get(host) ?? new Map<string, string>();
    this.jars.set(host, jar);
    return jar;
  }

  /** One request. @param address a path, or a whole address of any host */
  async ask(address: string, options: Parameters<typeof ask>[2] = {}): Promise<Answer> {
    const url = new URL(address, this.origin);
    const jar = this.cookies(url.host);
    const answer = await ask(this.origin, url.pathname + url.search, {
      ...options,
      headers: {
        Host: url.host,
        ...NAVIGATION,
        ...(jar.size ? { Cookie: [...jar].map((pair) => pair.join('=')).join('; ') } : {}),
        ...options.headers,
      },
    });
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [pair, ...attributes] = line.split(';');
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      const isGone = !value || attributes.some((each) => /^ *(max-age=0|expires=.*1970)/i.test(each));
      if (isGone) jar.delete(name);
      else jar.set(name, value);
    }
    return answer;
  }

  /** Opens an address, and follows where it leads. */
  async open(address: string, most = 8): Promise<Answer> {
    this.trail = [];
    this.session = '';
    let next = new URL(address, this.origin).href;
    for (let i = 0; ; i++) {
      const answer = await this.ask(next);
      const given = handedOver(answer);
      if (answer.status !== 302 && !given) return answer;
      if (i === most) throw new Error(`Too many redirects: ${this.trail.join(' ')}`);
      this.session = given?.session ?? this.session;
      next = new URL(given?.page ?? answer.headers.location!, next).href;
      this.trail.push(next);
    }
  }

  /** Opens an address as far as it leads to one that contains this, which is not opened. */
  async openUntil(address: string, part: string): Promise<string> {
    let next = new URL(address, this.origin).href;
    for (let i = 0; i < 8; i++) {
      const { headers, status, text } = await this.ask(next);
      if (status !== 302) throw new Error(`${next} is answered with ${status}: ${text.slice(0, 500)}`);
      next = new URL(headers.location!, next).href;
      if (next.includes(part)) return next;
    }
    throw new Error(`${address} does not lead to ${part}`);
  }

  /** Signs in to the main app with a password, as its page does. @returns the token of the page */
  async signIn(user: { email?: string; account?: string; password: string }): Promise<string> {
    const answer = await this.ask('/api/auth:signIn', { method: 'POST', body: user, headers: { Accept: '*/*' } });
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    return answer.json.data.token;
  }

  /** Signs out of the main app, as its page does. */
  async signOut(token: string): Promise<void> {
    const headers = { Authorization: `Bearer ${token}`, 'X-Authenticator': 'basic', Accept: '*/*' };
    const answer = await this.ask('/api/auth:signOut', { method: 'POST', headers });
    if (answer.status >= 300) throw new Error(`${answer.status} ${answer.text}`);
  }
}
