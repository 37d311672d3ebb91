import type { Application } from '@nocobase/server';
import { z } from 'zod';

/** The core's channel about apps of other processes (app-supervisor/index.ts:472). */
const CHANNEL = 'app_supervisor:sync';
const aboutApp = z.object({ appName: z.string() });

/**
 * Keeps the core's messages about apps of the fleet (`app:started`, `app:stopped`, `app:removed`) from its handler, which
 * would start a second object from the app's model, stop the app everywhere, or unload it. Our own apps send none: such a
 * message is about an object of the same name that another plugin has in another process.
 *
 * @param main just created: the core subscribes when it has started
 */
export function ignoreSyncMessages(main: Application, isManaged: (app: string) => boolean): void {
  const { syncMessageManager } = main;
  const subscribe = syncMessageManager.subscribe.bind(syncMessageManager);
  syncMessageManager.subscribe = (channel, callback) => {
    if (channel !== CHANNEL) return subscribe(channel, callback);
    return subscribe(channel, async (message: unknown) => {
      const about = aboutApp.safeParse(message);
      if (about.success && isManaged(about.data.appName)) return;
      await callback(message);
    });
  };
}
