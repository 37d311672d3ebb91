import path from 'node:path';
import { tsImport } from 'tsx/esm/api';
import { build } from '../build/build';
import type { Fleet, Instance } from '../fleet';
import { FLEETS } from '../fleet/config';
import { NODE_OPTIONS } from '../fleet/environment';
import {
  forgetInstalledPlugin,
  INSTALLED_PLUGIN,
  type InstalledPlugin,
  installPlugin,
  PACKAGE_NAME,
} from '../fleet/plugin';
import { ROOT } from '../lib/root.mjs';
import { snapshotOf } from './changes';
import { installDist } from './install';
import { developSince } from './loop';
import { Restarts } from './restarts';

const SOURCE = path.join(ROOT, 'src');

/** `npm run dev`: the same fleet, with a plugin that follows the sources. */
export class Development {
  /** Separate from the served files, because a build may be broken. No fleet can have this name. */
  private readonly dist = path.join(FLEETS, 'plugin.dev');
  private built = snapshotOf(SOURCE);

  /** Differences from the fleet of `npm start`. */
  readonly options = {
    env: { NODE_OPTIONS: `${NODE_OPTIONS} --enable-source-maps`, FLEET_DEV: PACKAGE_NAME },
    installPlugin: () => this.installWithMaps(),
  };

  /** Follows the sources until aborted. */
  async follow(fleet: Fleet, print: (line: string) => void, signal: AbortSignal): Promise<void> {
    const restarts = new Restarts({ restart: (instance: Instance) => fleet.restart(instance), print, signal });
    print('  Watching src/: pages are built anew, and what runs changed code is restarted.\n');
    await developSince(this.built, {
      look: () => snapshotOf(SOURCE),
      build: () => this.build(),
      install: () => this.install(),
      restart: (concerned) => {
        if (concerned.upgrade) fleet.pluginChanged();
        return restarts.begin(fleet.instances.filter(({ part }) => concerned.parts.includes(part)));
      },
      print,
      signal,
    });
    await fleet.stoppedBy(signal, restarts.idle());
  }

  /** As `npm start` does, but with source maps. */
  private async installWithMaps(): Promise<InstalledPlugin> {
    this.built = snapshotOf(SOURCE);
    const installed = await installPlugin();
    const problems = await this.build();
    if (problems.length) throw new Error(`the build failed:\n${problems.join('\n')}`);
    this.install();
    return installed;
  }

  private async build(): Promise<string[]> {
    // A module is evaluated once; here it may have changed since.
    const evaluate = (file: string) => tsImport(file, import.meta.url);
    const target = { packageName: PACKAGE_NAME, source: SOURCE, dist: this.dist, dev: true, evaluate };
    const { problems } = await build(target);
    return problems;
  }

  private install(): string[] {
    // The installed plugin is not the one that the next `npm start` needs.
    forgetInstalledPlugin();
    return installDist(this.dist, path.join(INSTALLED_PLUGIN, 'dist'));
  }
}
