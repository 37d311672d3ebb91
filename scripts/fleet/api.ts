/**
 * NocoBase's HTTP API as one user sees it: of an instance's main app, or of one of its apps; below a path if there is
 * one.
 */
export class Api {
  private constructor(
    readonly url: string,
    readonly token: string | null,
    readonly app: string | null,
  ) {}

  static anonymous(url: string, app: string | null = null): Api {
    return new Api(url, null, app);
  }

  static async signIn(
    url: string,
    { email, password }: { email: string; password: string },
    app: string | null = null,
  ): Promise<Api> {
    const answer = await Api.anonymous(url, app).post(
      'auth:signIn',
      { email, password },
      { 'X-Authenticator': 'basic' },
    );
    return new Api(url, answer.data.token, app);
  }

  /** The same user with another token. */
  withToken(token: string): Api {
    return new Api(this.url, token, this.app);
  }

  get(action: string, params: Record<string, unknown> = {}): Promise<any> {
    return this.call('GET', action, params);
  }

  post(action: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<any> {
    return this.call('POST', action, {}, body, headers);
  }

  /**
   * @param action such as `apps:start?filterByTk=crm`
   * @throws with status and body unless the answer is 2xx
   */
  async call(
    method: string,
    action: string,
    params: Record<string, unknown> = {},
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<any> {
    const url = new URL(`${this.url}/api/${action}`);
    for (const [name, value] of Object.entries(params)) {
      url.searchParams.set(name, typeof value === 'object' ? JSON.stringify(value) : String(value));
    }
    const response = await fetch(url, {
      method,
      headers: {
        ...(this.app && { 'X-App': this.app }),
        ...(this.token && { Authorization: `Bearer ${this.token}`, 'X-Authenticator': 'basic' }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new ApiError(`${method} ${url.pathname}${url.search}`, response.status, text);
    return text ? JSON.parse(text) : null;
  }
}

export class ApiError extends Error {
  constructor(
    request: string,
    readonly status: number,
    readonly body: string,
  ) {
    super(`${request} answered ${status}: ${body.slice(0, 500)}`);
    this.name = 'ApiError';
  }
}
