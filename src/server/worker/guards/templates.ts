import type { HostConfig } from '../../config';
import type { GuardConfig } from '../../config/guards';
import { AppSupervisorError } from '../../errors';
import { moduleOf } from '../../nocobase/plugin-classes';
import type { Guard } from './guard';
import { type Limit, limitTo } from './time-limits';

const MENDED = Symbol('mended by App Supervisor');
type Mended = { [MENDED]?: true };

/** A variable in a template: what `SLOW` matches, but each character in one way only. */
const VARIABLE = /{{[\w:\s\-+.,@/()?=*$]+}}/g;
/** As NocoBase writes it: `_` matches in two ways, so that `{{___…` without an end takes twice as long for each of them. */
const SLOW = '{{(\\w|:|[\\s-+.,@/()?=*_$])+}}';

/**
 * The templates that NocoBase puts variables into: configurations of workflow nodes, custom requests, settings. Its
 * expression is known to nobody else, so it is caught when it is used.
 */
function mendVariables(parse: (template: string) => unknown): void {
  const { match } = String.prototype;
  let found: (RegExp & Mended) | null = null;
  String.prototype.match = function (this: string, expression: RegExp) {
    if (expression.source === SLOW) found = expression;
    return match.call(this, expression);
  } as never;
  try {
    parse('');
  } finally {
    String.prototype.match = match;
  }
  const slow = found as (RegExp & Mended) | null;
  if (!slow || slow[MENDED]) return;
  Object.defineProperty(slow, Symbol.match, { value: (text: string) => text.match(VARIABLE) });
  slow[MENDED] = true;
}

interface Handlebars extends Mended {
  compile(...args: unknown[]): (...args: unknown[]) => unknown;
}

/** Templates of notifications: their helpers have regular expressions. */
function limitHandlebars(handlebars: Handlebars, limit: Limit): void {
  if (handlebars[MENDED]) return;
  const { compile } = handlebars;
  handlebars[MENDED] = true;
  handlebars.compile = (...args) => {
    const render = compile(...args);
    // The first call compiles it.
    return Object.assign((...values: unknown[]) => limit(() => render(...values)), render);
  };
}

interface LiquidClass {
  prototype: Mended & { _parseAndRender(text: string, scope: unknown, options?: object, isSync?: boolean): unknown };
}
/** The most that a template may take of memory, in units of liquidjs: about characters and items of lists. */
const LIQUID_MEMORY = 10_000_000;

/** Templates in SQL, which have loops. */
function limitLiquid({ prototype }: LiquidClass, ms: number): void {
  if (prototype[MENDED]) return;
  const { _parseAndRender: render } = prototype;
  if (typeof render !== 'function') throw new AppSupervisorError('GUARD_MISSING', { what: '_parseAndRender' });
  prototype[MENDED] = true;
  prototype._parseAndRender = function (text, scope, options, isSync) {
    return render.call(this, text, scope, { ...options, renderLimit: ms, memoryLimit: LIQUID_MEMORY }, isSync);
  };
}

function limitTemplates({ nodeModulesPath }: HostConfig, { formulaTimeout }: GuardConfig): void {
  const of = (name: string) => moduleOf(nodeModulesPath, '@nocobase/utils', name);
  mendVariables(of('parse') as never);
  limitHandlebars(of('Handlebars') as never, limitTo(formulaTimeout));
  limitLiquid(moduleOf(nodeModulesPath, 'liquidjs', 'Liquid', '@nocobase/utils') as never, formulaTimeout);
}

/**
 * Templates have no app, so those of the main app are limited, too. At once: NocoBase freezes the built-ins after the start of
 * the main app.
 */
export function templates(host: HostConfig, guards: GuardConfig): Guard {
  try {
    limitTemplates(host, guards);
    return {};
  } catch (error) {
    const refuse = () => {
      throw error;
    };
    return { beforeLoad: refuse };
  }
}
