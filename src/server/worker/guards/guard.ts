import type { Application } from '@nocobase/server';
import { AppSupervisorError } from '../../errors';

/**
 * Keeps hosted apps from one thing. It is installed from outside, so that nothing in an app's own database takes it away:
 * the app's administrator may disable this plugin there.
 */
export interface Guard {
  /** Once for each app, before any of its plugins is loaded. */
  beforeLoad?(app: Application): void;
  /** Each time the app has loaded: a reload makes its middleware, resources and models anew. */
  afterLoad?(app: Application): void;
}

/** An object of the core that belongs to an app. */
interface Owned {
  app?: { name: string };
}
type Method = (this: Owned, ...args: unknown[]) => unknown;

const GUARDED = Symbol('guarded by App Supervisor');

export const isHosted = (app: { name: string } | undefined): app is { name: string } =>
  app !== undefined && app.name !== 'main';

/**
 * Replaces a method of a class of NocoBase, once a process: objects that an app makes later have it too. Calls of the
 * main app go to the original.
 *
 * @param replace called for a hosted app in place of the method; `original` is bound to the object
 * @throws AppSupervisorError GUARD_MISSING when this NocoBase has no such method: an app without the guard must not start
 */
export function guardMethod(
  prototype: object,
  name: string,
  replace: (original: (...args: unknown[]) => unknown, args: unknown[], app: { name: string }) => unknown,
): void {
  const methods = prototype as Record<string, Method | undefined>;
  const original = methods[name];
  if (typeof original !== 'function') throw new AppSupervisorError('GUARD_MISSING', { what: name });
  if (GUARDED in original) return;
  const guarded: Method = function (...args) {
    const { app } = this;
    return isHosted(app) ? replace(original.bind(this), args, app) : original.apply(this, args);
  };
  methods[name] = Object.assign(guarded, { [GUARDED]: true });
}
