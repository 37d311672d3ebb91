import { Application } from '@nocobase/server';
import { AppSupervisorError } from '../../errors';

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
type Replacement = (
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
 * Replaces a method of a NocoBase class, once for each process, so that objects an app creates later have it too. Calls
 * of the main app use the original.
 *
 * @throws AppSupervisorError GUARD_MISSING if this NocoBase has no such method: an app without the guard must not start
 */
export function guardMethod(prototype: object, name: string, replace: Replacement): void {
  const methods = prototype as Record<string, Method | undefined>;
  const original = methods[name];
  if (typeof original !== 'function') throw new AppSupervisorError('GUARD_MISSING', { what: name });
  if (GUARDED in original) return;
  const guarded: Method = function (...args) {
    const app = ownerOf(this);
    return isHosted(app) ? replace(original.bind(this), args, app, this, original) : original.apply(this, args);
  };
  methods[name] = Object.assign(guarded, { [GUARDED]: true });
}
