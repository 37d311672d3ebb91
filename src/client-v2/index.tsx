import { Plugin, registerIcon } from '@nocobase/client-v2';
import { SSO_AUTHENTICATOR, SSO_PAGE } from '../shared/sso';
import { withPinnedApps } from '../ui/entries/switcher';
import { registerSafely, takeSessionSafely } from '../ui/registration';
import { SETTINGS } from '../ui/settings';
import { SignInAim } from '../ui/sso/SignInAim';
import { signInPages } from '../ui/sso/sign-in-pages';

const PANEL = 'AppSwitcherActionPanelModel';

export class PluginAppSupervisorClientV2 extends Plugin {
  async afterAdd() {
    takeSessionSafely(this.app);
  }

  async load() {
    await registerSafely(this.app, 'modern', {
      registerIcon,
      switcher: () => {
        const { flowEngine } = this.app;
        const Panel = flowEngine.getModelClass(PANEL);
        if (Panel) flowEngine.registerModels({ [PANEL]: withPinnedApps(Panel, this.app) });
      },
      signIn: () => {
        this.router.add('appSso', {
          path: SSO_PAGE,
          componentLoader: () => import('../ui/sso/ContinueSignIn'),
          skipAuthCheck: true,
        });
        signInPages(this.app)?.registerType(SSO_AUTHENTICATOR, {
          signInButtonLoader: () => import('../ui/sso/SsoButton'),
        });
        this.app.addProvider(SignInAim);
      },
      settings: () => {
        const { menu, tabs } = SETTINGS;
        // The address of the first page in the classic client.
        this.router.add('appSupervisorFirstPage', {
          path: `/admin/settings/${menu.key}/${tabs[0].key}`,
          componentLoader: () => import('../ui/ToFirstPage'),
        });
        this.pluginSettingsManager.addMenuItem({ ...menu, title: this.t(menu.title) });
        for (const [index, tab] of tabs.entries()) {
          this.pluginSettingsManager.addPageTabItem({
            ...tab,
            menuKey: menu.key,
            key: index === 0 ? 'index' : tab.key,
            title: this.t(tab.title),
          });
        }
      },
    });
  }
}

export default PluginAppSupervisorClientV2;
