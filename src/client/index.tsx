import { Plugin, registerIcon } from '@nocobase/client';
import { SSO_AUTHENTICATOR, SSO_PAGE } from '../shared/sso';
import type { AppEntry } from '../shared/types';
import { AppAvatar } from '../ui/common/AppAvatar';
import { entryHref } from '../ui/common/entryHref';
import { key } from '../ui/common/text';
import { followEntries } from '../ui/entries/entries';
import { registerSafely, takeSessionSafely } from '../ui/registration';
import { SETTINGS } from '../ui/settings';
import ContinueSignIn from '../ui/sso/ContinueSignIn';
import { SignInAim } from '../ui/sso/SignInAim';
import SsoButton from '../ui/sso/SsoButton';
import { signInPages } from '../ui/sso/sign-in-pages';

const MAIN = key('Main app');

export class PluginAppSupervisorClient extends Plugin {
  async afterAdd() {
    takeSessionSafely(this.app);
  }

  async load() {
    await registerSafely(this.app, 'classic', {
      switcher: () => this.provideApps(),
      signIn: () => {
        this.router.add('appSso', { path: SSO_PAGE, Component: ContinueSignIn, skipAuthCheck: true });
        signInPages(this.app)?.registerType(SSO_AUTHENTICATOR, { components: { SignInButton: SsoButton } });
        this.app.addProvider(SignInAim);
      },
      registerIcon,
      settings: () => {
        const { menu, tabs } = SETTINGS;
        this.pluginSettingsManager.add(menu.key, { ...menu, title: this.t(menu.title) });
        for (const { key, ...tab } of tabs) {
          this.pluginSettingsManager.add(`${menu.key}.${key}`, { ...tab, title: this.t(tab.title) });
        }
      },
    });
  }

  /** This client calls a provider once, and again when another provider is added. */
  private provideApps(): void {
    let asking = 0;
    const ask = followEntries(this.app, { client: 'classic', place: 'switcher' }, () => {
      if (!asking) provide();
    });
    const provide = () =>
      this.app.setAppsProvider({
        loadAppList: async () => {
          asking += 1;
          const entries = await ask();
          asking -= 1;
          return entries.map((entry) => this.appOf(entry));
        },
      });
    provide();
  }

  private appOf(entry: AppEntry) {
    const title = entry.name === 'main' ? this.t(MAIN) : entry.title;
    return { title, url: entryHref(entry.url), target: entry.target, icon: <AppAvatar app={{ ...entry, title }} /> };
  }
}

export default PluginAppSupervisorClient;
