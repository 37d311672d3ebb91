import type { Application } from '@nocobase/server';

/** `AuthManager.jwt` (auth/base/jwt-service.js), with which an app and its plugins sign every token of their own. */
interface Signer {
  sign(payload: string | object | Buffer, options?: Record<string, unknown>): string;
}

const NAMED = Symbol('app-supervisor.named');

/**
 * From now on the tokens of an app say whose they are, in the field `kid` of their head: a door, which can verify none, leaves those of others to
 * the Supervisor. Verification does not look at it, and tokens from before stay valid. The core makes the signer anew when it loads the app again.
 *
 * @param kid uid of the app, or `main`
 */
export function nameTokens(app: Application, kid: string): void {
  const name = () => {
    // What has no sign-in signs nothing.
    const jwt = app.authManager?.jwt as unknown as (Signer & { [NAMED]?: true }) | undefined;
    if (!jwt || jwt[NAMED]) return;
    const sign = jwt.sign.bind(jwt);
    jwt[NAMED] = true;
    jwt.sign = (payload, options) => sign(payload, { keyid: kid, ...options });
  };
  name();
  app.on('beforeLoad', name);
}
