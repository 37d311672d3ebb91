import { Application } from '@nocobase/server';
import type { HostConfig } from '../../config/core-settings';
import { AppSupervisorError } from '../../errors';
import { classOfPlugin } from '../../nocobase/plugin-classes';

/**
 * Prevents one thing in hosted apps. The process installs it, so nothing in an app's own database can remove it: the
 * app's administrator may disable this plugin there.
 */
export interface Guard {
  /** Called once for each app, before any of its plugins is loaded. */
  beforeLoad?(app: Application): void;
  /** Called each time the app has loaded: a reload creates its middleware, resources and models again. */
  afterLoad?(app: Application): void;
}

/** An object of the core that belongs to an app: itself, by the request that it works for, or by its plugin. */
interface Owned {
  app?: App;
  options?: { plugin?: { app?: App } };
  ctx?: { app?: App };
  plugin?: { app?: App };
  workflow?: { app?: App };
  workflowPlugin?: { app?: App };
}
interface App {
  name: string;
}
const ownerOf = (owned: Owned): App | undefined =>
  owned.app ??
  owned.ctx?.app ??
  owned.plugin?.app ??
  owned.workflow?.app ??
  owned.workflowPlugin?.app ??
  owned.options?.plugin?.app ??
  (isApplication(owned) ? owned : undefined);
const isApplication = (owned: object): owned is App => owned instanceof Application;
type Method = (this: Owned, ...args: unknown[]) => unknown;

/**
 * What runs for a hosted app instead of a method.
 *
 * @param original the method, bound to the object `self`
 * @param unbound the method, to be called on another object
 */
export type Replacement = (
  original: (...args: unknown[]) => unknown,
  args: unknown[],
  app: { name: string },
  self: object,
  unbound: (this: object, ...args: unknown[]) => unknown,
) => unknown;

const GUARDED = Symbol('guarded by App Supervisor');

export const isHosted = (app: { name: string } | undefined): app is { name: string } =>
  app !== undefined && app.name !== 'main';

/**
 * Replaces a function of NocoBase, once for each process, whatever app calls it.
 *
 * @param make the other one, of the first one
 * @throws AppSupervisorError GUARD_MISSING if this NocoBase has no such function: an app without the guard must not start
 */
export function replaceOnce<F extends (...args: any[]) => unknown>(
  object: object,
  name: string,
  make: (original: F) => (this: any, ...args: any[]) => unknown,
): void {
  const functions = object as Record<string, F | undefined>;
  const original = functions[name];
  if (typeof original !== 'function') throw new AppSupervisorError('GUARD_MISSING', { what: name });
  if (!(GUARDED in original)) functions[name] = Object.assign(make(original), { [GUARDED]: true }) as never;
}

/**
 * Replaces a method of a NocoBase class for hosted apps, so that objects an app creates later have it too. Calls of the main app use the
 * original.
 *
 * @throws as `replaceOnce`
 */
export function guardMethod(prototype: object, name: string, replace: Replacement): void {
  replaceOnce<Method>(
    prototype,
    name,
    (original) =>
      function (this: Owned, ...args) {
        const app = ownerOf(this);
        return isHosted(app) ? replace(original.bind(this), args, app, this, original) : original.apply(this, args);
      },
  );
}

/**
 * The same for a class inside another plugin, if the app has that.
 *
 * @param file below the plugin's `dist/server`, without extension
 */
export function guardPlugin(
  app: Application,
  { nodeModulesPath }: Pick<HostConfig, 'nodeModulesPath'>,
  [plugin, file, name]: readonly [plugin: string, file: string, name: string],
  methods: string[],
  replace: Replacement,
): void {
  if (!app.pm.get(plugin)) return;
  const { prototype } = classOfPlugin(nodeModulesPath, plugin, file, name);
  for (const method of methods) guardMethod(prototype, method, replace);
}
