import { createContext, Script } from 'node:vm';
import { Collection, type Field, UidField } from '@nocobase/database';
import type { HostConfig } from '../../config/core-settings';
import type { GuardConfig } from '../../config/guards';
import { AppSupervisorError } from '../../errors';
import { moduleOf } from '../../nocobase/plugin-classes';
import { type Guard, replaceOnce } from './guard';

type Work = () => unknown;
/** Runs synchronous work, and ends it after a time, also within a regular expression. */
export type Limit = <T>(work: () => T) => T;

/**
 * @param ms the most that the work may take
 * @returns throws AppSupervisorError TOOK_TOO_LONG; costs 0.1 to 0.3 ms for each call
 */
export function limitTo(ms: number): Limit {
  const context = createContext({ work: null as Work | null });
  const script = new Script('work()');
  return (work) => {
    const outer = context.work;
    context.work = work;
    try {
      return script.runInContext(context, { timeout: ms });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      throw new AppSupervisorError('TOOK_TOO_LONG', { ms });
    } finally {
      context.work = outer;
    }
  };
}

const LIMITED = Symbol('limited by App Supervisor');
type Limited = { [LIMITED]?: true };

interface Evaluators {
  options: { override: boolean };
  getEntities(): Iterable<[string, ((...args: unknown[]) => unknown) & Limited]>;
  register(name: string, evaluate: unknown): void;
}

/** As the core reads it: this is replaced by a value before the rest is JavaScript. */
const VARIABLE = /{{\s*[\w$.-]+\s*}}/g;
/**
 * What can go on after a formula has ended: there it is no longer limited, and nothing can end it. None of these words can
 * be put together from others: a formula has neither `eval` nor `Function`, and the methods are removed.
 */
const ASYNC = /async|await|Promise|\\u/;

/** @throws AppSupervisorError FORMULA_ASYNC */
export function refuseAsync(formula: unknown): void {
  if (ASYNC.test(String(formula).replace(VARIABLE, ' $ '))) throw new AppSupervisorError('FORMULA_ASYNC');
}

/** Formulas and calculations: they have no app, so those of the main app are limited, too. */
function limitEvaluators(evaluators: Evaluators, limit: Limit): void {
  evaluators.options = { ...evaluators.options, override: true };
  for (const [name, evaluate] of [...evaluators.getEntities()]) {
    if (evaluate[LIMITED]) continue;
    const limited = (...args: unknown[]) => {
      if (name === 'formula.js') refuseAsync(args[0]);
      return limit(() => evaluate(...args));
    };
    evaluators.register(name, Object.assign(limited, { [LIMITED]: true }));
  }
}

interface Validation {
  rules?: Array<{ name?: unknown }>;
}
const hasPattern = (field: Field): boolean =>
  (field.options.validation as Validation | undefined)?.rules?.some(({ name }) => name === 'pattern') ?? false;

/** Patterns that an administrator entered, on what anybody sends: some of them take for ever. */
function limitValidation(limit: Limit): void {
  replaceOnce(
    Collection.prototype,
    'validate',
    (validate) =>
      function (this: Collection, ...args) {
        const isLimited = [...this.fields.values()].some(hasPattern);
        return isLimited ? limit(() => validate.apply(this, args)) : validate.apply(this, args);
      },
  );
}

interface Identifier {
  options: { name: string; pattern?: string };
  listener(instances: unknown): Promise<void>;
}

function limitIdentifiers(limit: Limit): void {
  const limited = (init: () => unknown) =>
    function (this: Identifier) {
      init.call(this);
      const { listener } = this;
      const { name, pattern } = this.options;
      if (!pattern) return;
      const expression = new RegExp(pattern);
      this.listener = async (instances) => {
        for (const instance of [instances].flat() as Array<{ get(name: string): unknown }>) {
          const value = instance.get(name);
          if (value) limit(() => expression.test(String(value)));
        }
        await listener(instances);
      };
    };
  replaceOnce(UidField.prototype, 'init', limited);
}

/** What an app's administrator entered to be calculated or matched does not stop the process. */
export const timeLimits = ({ nodeModulesPath }: HostConfig, { formulaTimeout }: GuardConfig): Guard => {
  const limit = limitTo(formulaTimeout);
  // It takes what is endless without any of the words. NocoBase does not use it, and freezes it once the main app has started.
  Reflect.deleteProperty(Array, 'fromAsync');
  return {
    beforeLoad: () => {
      limitValidation(limit);
      limitIdentifiers(limit);
      limitEvaluators(moduleOf(nodeModulesPath, '@nocobase/evaluators', 'evaluators') as Evaluators, limit);
    },
  };
};
