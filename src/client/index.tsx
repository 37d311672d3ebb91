import { Plugin } from '@nocobase/client';
import { registerSafely, SETTINGS } from '../ui/registration';

export class PluginAppSupervisorClient extends Plugin {
  async load() {
    registerSafely(this.app, () => {
      const { menu, tabs } = SETTINGS;
      this.pluginSettingsManager.add(menu.key, { ...menu, title: this.t(menu.title) });
      for (const { key, ...tab } of tabs) {
        this.pluginSettingsManager.add(`${menu.key}.${key}`, { ...tab, title: this.t(tab.title) });
      }
    });
  }
}

export default PluginAppSupervisorClient;
