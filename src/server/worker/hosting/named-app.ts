import type { Application, Plugin } from '@nocobase/server';

/**
 * A new app shows its own title where NocoBase shows its logo, which is a file that other environments do not have. Its
 * administrator can give it another title, and a logo.
 */
export function installNamed(app: Application, title: string): void {
  app.on('afterInstallPlugin', async (plugin: Plugin) => {
    if (plugin.getName() === 'system-settings')
      await app.db.getModel('systemSettings').update({ title, logoId: null }, { where: {} });
  });
}
