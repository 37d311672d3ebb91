import { Plugin } from '@nocobase/client';
import { AppAvatar } from '../ui/apps/AppAvatar';
import { key } from '../ui/common/text';
import { pinnedEntries } from '../ui/entries/entries';
import { registerSafely } from '../ui/registration';
import { SETTINGS } from '../ui/settings';

const MAIN = key('Main app');

export class PluginAppSupervisorClient extends Plugin {
  async load() {
    await registerSafely(this.app, 'classic', {
      switcher: () => this.app.setAppsProvider({ loadAppList: () => this.loadApps() }),
      settings: () => {
        const { menu, tabs } = SETTINGS;
        this.pluginSettingsManager.add(menu.key, { ...menu, title: this.t(menu.title) });
        for (const { key, ...tab } of tabs) {
          this.pluginSettingsManager.add(`${menu.key}.${key}`, { ...tab, title: this.t(tab.title) });
        }
      },
    });
  }

  private async loadApps() {
    const entries = await pinnedEntries(this.app, 'classic');
    return entries.map((entry) => {
      const title = entry.name === 'main' ? this.t(MAIN) : entry.title;
      return { title, url: entry.url, target: entry.target, icon: <AppAvatar app={{ ...entry, title }} /> };
    });
  }
}

export default PluginAppSupervisorClient;
