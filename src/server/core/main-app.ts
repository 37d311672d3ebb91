import type { Application } from '@nocobase/server';
import type { HostConfig } from '../config/core-settings';
import type { CoreAppRegistry } from '../nocobase/core-app-registry';

/** Listens to the life cycle of the main app. */
export interface MainAppListener {
  /** The main app has started or restarted. */
  started(main: Application): void;
  /** The main app is about to end, and its database with it. Awaited; never rejects. */
  leaving(): Promise<unknown>;
}

/** The main app of this process, which the core creates and restarts. */
export class MainApp {
  /** Whether the core has begun to start it in a process that participates. */
  begun = false;
  private lastSecret: string | Buffer | null = null;

  constructor(
    private readonly coreApps: CoreAppRegistry,
    /** False in command-line runs and worker threads, which do not participate. */
    private readonly active: boolean,
    private readonly isBuiltIn: HostConfig['isBuiltIn'],
  ) {}

  get app(): Application | undefined {
    return this.coreApps.apps.main;
  }

  /** With which it signs its tokens; null before the first start. Between two starts there is no object to ask. */
  get secret(): string | Buffer | null {
    const { jwt } = (this.app?.authManager ?? {}) as { jwt?: { secret(): string | Buffer | undefined } };
    this.lastSecret = jwt?.secret() ?? this.lastSecret;
    return this.lastSecret;
  }

  /** In the core's words; undefined before there is one. */
  get status(): string | undefined {
    return this.coreApps.appStatus.main;
  }

  /** Null if nothing may be written. */
  get writable(): Application | null {
    return this.begun ? (this.app ?? null) : null;
  }

  /**
   * The main app is about to have started. Command-line runs and worker threads also get here, and stop here.
   *
   * Nothing begins earlier, because other plugins of the main app still write, and with SQLite our writes would make
   * theirs fail.
   */
  begin(listener: MainAppListener): void {
    const { app } = this;
    if (!this.active || !app) return;
    if (!this.begun) {
      app.on('__started', () => {
        if (this.isLoaded(app)) listener.started(app);
      });
      app.on('beforeDestroy', () => listener.leaving());
    }
    this.begun = true;
  }

  /**
   * Whether our tables exist. The core starts without a plugin that is not enabled, for example before somebody enables
   * it on the plugin page. It also starts without one that it cannot find at that moment (`PluginManager.add`), for
   * example while another process of the same installation recreates its link in `node_modules`
   * (@nocobase/utils/plugin-symlink.js). If the plugin is built in, only another start helps.
   */
  private isLoaded(app: Application): boolean {
    const plugin = app.pm.get('app-supervisor') as { state: { loaded?: boolean } } | undefined;
    if (plugin?.state.loaded) return true;
    const what =
      'App Supervisor: NocoBase has started without this plugin, although the environment variables give it a part';
    if (!this.isBuiltIn) {
      console.warn(`${what}. Enable it in the plugin manager, or name it in APPEND_PRESET_BUILT_IN_PLUGINS.`);
      return false;
    }
    console.error(`${what}: it could not be found, as the log says above. The process ends; start it again.`);
    process.exit(1);
  }
}
