import type { HostConfig } from '../../config/core-settings';
import type { GuardConfig } from '../../config/guards';
import { moduleOf } from '../../nocobase/plugin-classes';
import { type Limit, limitTo } from './evaluation-limit';
import { type Guard, replaceOnce } from './guard';

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
  let found: RegExp | null = null;
  String.prototype.match = function (this: string, expression: RegExp) {
    if (expression.source === SLOW) found = expression;
    return match.call(this, expression);
  } as never;
  try {
    parse('');
  } finally {
    String.prototype.match = match;
  }
  const slow = found as RegExp | null;
  if (slow && !Object.hasOwn(slow, Symbol.match))
    Object.defineProperty(slow, Symbol.match, { value: (text: string) => text.match(VARIABLE) });
}

type Render = (...values: unknown[]) => unknown;

/** Templates of notifications: their helpers have regular expressions. */
function limitHandlebars(handlebars: object, limit: Limit): void {
  replaceOnce<(...args: unknown[]) => Render>(handlebars, 'compile', (compile) => (...args) => {
    const render = compile(...args);
    // The first call compiles it.
    return Object.assign((...values: unknown[]) => limit(() => render(...values)), render);
  });
}

/** The most that a template may take of memory, in units of liquidjs: about characters and items of lists. */
const LIQUID_MEMORY = 10_000_000;

/** Templates in SQL, which have loops. */
function limitLiquid({ prototype }: { prototype: object }, ms: number): void {
  replaceOnce(
    prototype,
    '_parseAndRender',
    (render) =>
      function (text: string, scope: unknown, options?: object, isSync?: boolean) {
        return render.call(this, text, scope, { ...options, renderLimit: ms, memoryLimit: LIQUID_MEMORY }, isSync);
      },
  );
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
