import { Plugin } from '@nocobase/client-v2';
import { registerSafely, SETTINGS } from '../ui/registration';

export class PluginAppSupervisorClientV2 extends Plugin {
  async load() {
    registerSafely(this.app, () => {
      const { menu, tabs } = SETTINGS;
      this.pluginSettingsManager.addMenuItem({ ...menu, title: this.t(menu.title) });
      for (const [index, tab] of tabs.entries()) {
        this.pluginSettingsManager.addPageTabItem({
          ...tab,
          menuKey: menu.key,
          key: index === 0 ? 'index' : tab.key,
          title: this.t(tab.title),
        });
      }
    });
  }
}

export default PluginAppSupervisorClientV2;
