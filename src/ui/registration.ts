import type { HostApp } from '@nocobase/flow-engine';
import { registerEntryActions } from './entries/actions';
import type { ClientName, RegisterIcon } from './entries/entries';
import { leadToApps } from './first-page';
import { quietBeforeSignIn, resumeBySso, takeSession } from './sso/start';

interface Parts {
  /** The settings pages, which only the main app has. */
  settings(): void;
  /** The app switcher in the upper left. */
  switcher(): void;
  /** Sign-in by the main app: its page there, and the button on the sign-in page of apps. */
  signIn(): void;
  /** The client's own, for the icons of apps where it draws icons by their names. */
  registerIcon: RegisterIcon;
}

/**
 * Called when the plugin is added, before any plugin loads: what asks the server without a session is refused, and the client
 * then forgets the new one, too.
 */
export function takeSessionSafely(app: HostApp): void {
  attempt('session of a sign-in', () => takeSession(app));
}

/** Each registration on its own: an error here would otherwise replace NocoBase's whole interface. */
export async function registerSafely(app: HostApp, client: ClientName, parts: Parts): Promise<void> {
  attempt('app switcher', parts.switcher);
  attempt('return to the main app', () => resumeBySso(app));
  attempt('sign-in by the main app', parts.signIn);
  attempt('quiet before a sign-in', () => quietBeforeSignIn(app));
  attempt('Applications block', () => {
    app.flowEngine.registerModelLoaders({
      ApplicationsBlockModel: {
        extends: 'BlockModel',
        loader: async () => (await import('./entries/block')).createBlock(app.flowEngine, client),
      },
    });
  });
  attempt('entry actions', () => registerEntryActions(app, client, parts.registerIcon));
  if (!(await isMain(app))) return;
  // Nobody is led to pages that are not there.
  if (attempt('settings pages', parts.settings)) attempt('first page', () => leadToApps(app));
}

/** @returns whether it succeeded */
function attempt(what: string, register: () => void): boolean {
  try {
    register();
    return true;
  } catch (error) {
    console.error(`[app-supervisor] Its ${what} could not be registered.`, error);
    return false;
  }
}

/** How long the client waits for the answer, in ms. */
const PATIENCE = 3_000;

/** On an app's own domain the client assumes that it is the main app; only the server knows. */
async function isMain(app: HostApp): Promise<boolean> {
  if (app.name !== 'main') return false;
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, PATIENCE));
  const reported = Promise.resolve()
    .then(() => app.apiClient.request({ url: 'app:getInfo', skipNotify: true }))
    .then(({ data }) => (data as { data?: { name?: string } }).data?.name)
    .catch(() => undefined);
  return ((await Promise.race([reported, late])) ?? 'main') === 'main';
}
