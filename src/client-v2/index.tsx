import { Plugin } from '@nocobase/client-v2';
import { withPinnedApps } from '../ui/entries/switcher';
import { registerSafely } from '../ui/registration';
import { SETTINGS } from '../ui/settings';

const PANEL = 'AppSwitcherActionPanelModel';

export class PluginAppSupervisorClientV2 extends Plugin {
  async load() {
    await registerSafely(this.app, 'modern', {
      switcher: () => {
        const { flowEngine } = this.app;
        const Panel = flowEngine.getModelClass(PANEL);
        if (Panel) flowEngine.registerModels({ [PANEL]: withPinnedApps(Panel, this.app) });
      },
      settings: () => {
        const { menu, tabs } = SETTINGS;
        this.pluginSettingsManager.addMenuItem({ ...menu, title: this.t(menu.title) });
        for (const [index, tab] of tabs.entries()) {
          this.pluginSettingsManager.addPageTabItem({
            ...tab,
            menuKey: menu.key,
            key: index === 0 ? 'index' : tab.key,
            title: this.t(tab.title),
            componentLoader: () => tab.componentLoader('modern'),
          });
        }
      },
    });
  }
}

export default PluginAppSupervisorClientV2;
