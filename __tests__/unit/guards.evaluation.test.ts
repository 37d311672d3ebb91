import type { Application } from '@nocobase/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { coreApp, guardApps, hostPackage, instanceIn, LIMIT, pluginServer } from '../support/core-app';
import { growsFaster } from '../support/growth';

/** What nodes of workflows and templates of apps evaluate, with NocoBase's own classes: it ends, and has no way to code. */

const { guarded, end } = instanceIn();

let crm: Application;
let main: Application;

beforeAll(() => {
  const plugins = { workflow: {}, 'workflow-json-query': {}, 'workflow-loop': {}, 'workflow-notification': {} };
  [crm, main] = ['crm', 'main'].map((name) => coreApp(name, plugins));
  guardApps({ ...guarded, clock: systemClock }, [crm, main], 2);
});
afterAll(end);

/** That nothing took longer than its limit, and what the loop of this process did meanwhile. */
async function turning<T>(work: () => Promise<T>): Promise<{ result: T; turns: number }> {
  let turns = 0;
  const timer = setInterval(() => turns++, 5);
  try {
    return { result: await work(), turns };
  } finally {
    clearInterval(timer);
  }
}

describe('the node "JSON calculation"', () => {
  const test = (config: object, app = crm) => {
    const { default: JSONQueryInstruction } = pluginServer('workflow-json-query', 'JSONQueryInstruction');
    return new JSONQueryInstruction({ app }).test(config);
  };
  const TOOK_TOO_LONG = { status: -2, result: null, log: expect.stringContaining(`${LIMIT} ms`) };

  it.each([
    ['jmespath', 'items[?price > `1`].name', ['b']],
    ['jsonpathplus', '$.items[*].name', ['a', 'b']],
    ['jsonata', 'items[price > 1].name', 'b'],
    ['jsonata', '$map(items, function($i) { $uppercase($i.name) })', ['A', 'B']],
    [
      'jsonata',
      'items.{"name": name, "matches": $contains(name, /^[a]$/)}',
      [
        { name: 'a', matches: true },
        { name: 'b', matches: false },
      ],
    ],
    ['jsonata', 'nothing', undefined],
  ])('%s evaluates %s', async (engine, expression, result) => {
    const source = {
      items: [
        { name: 'a', price: 1 },
        { name: 'b', price: 2 },
      ],
    };
    expect(await test({ engine, expression, source })).toEqual({ status: 1, result });
  });

  it('says what is wrong in an expression, and takes a part of the result', async () => {
    const wrong = await test({ engine: 'jsonata', expression: '(', source: {} });
    expect(wrong).toMatchObject({ status: -2, result: null, log: expect.stringContaining('code: S0203') });
    const model = [{ path: 'a.b', alias: 'c' }];
    expect(await test({ engine: 'jmespath', expression: '@', source: { a: { b: 1 } }, model })).toEqual({
      status: 1,
      result: { c: 1 },
    });
  });

  it('has no expressions of JavaScript in JSONPath', async () => {
    for (const expression of [
      '$[?(/^(a+)+$/.test(@.s))]',
      "$[?(@.a.__lookupGetter__('__proto__').call(@.a).constructor)]",
      "$[(@.call(@.a.__lookupGetter__).constructor('return process')())]",
    ]) {
      const { result } = await turning(() =>
        test({ engine: 'jsonpathplus', source: [{ s: `${'a'.repeat(29)}b`, a: {} }], expression }),
      );
      expect([expression, result]).toEqual([
        expression,
        expect.objectContaining({ status: -2, log: expect.stringContaining('prevented') }),
      ]);
    }
  });

  it('ends what goes on for ever, while others have their turn, and evaluates on', async () => {
    for (const expression of [
      '($f := function($x){ $f($x) }; $f(1))',
      `$match("${'a'.repeat(29)}b", /^(a+)+$/)`,
      '$map([1..10000000], function($x){ $string($x) })',
    ]) {
      const { result, turns } = await turning(() => test({ engine: 'jsonata', expression, source: {} }));
      expect([expression, result]).toEqual([expression, expect.objectContaining(TOOK_TOO_LONG)]);
      expect(turns).toBeGreaterThan(5);
    }
    expect(await test({ engine: 'jsonata', expression: '1 + 1', source: {} })).toEqual({ status: 1, result: 2 });
  });

  it('evaluates for the main app as NocoBase does', async () => {
    const expression = '$[?(@.a > 1)]';
    expect(await test({ engine: 'jsonpathplus', expression, source: [{ a: 1 }, { a: 2 }] }, main)).toMatchObject({
      result: [{ a: 2 }],
    });
  });
});

describe('templates', () => {
  const { parse, Handlebars } = hostPackage('@nocobase/utils');

  it('with variables are read at once, whatever is in them', () => {
    for (const unit of ['_', 'a_']) {
      expect(growsFaster((input) => parse({ a: [`{{${input}`, `{{${input}{`] }), unit)).toBe(false);
    }
    const scope = { a: { b_c: 1, d: () => 2 }, $x: [3] };
    const template = parse({
      '{{ a.b_c }}': '{{a.b_c}} and {{ a.d }}',
      one: '{{$x.0}}',
      other: '{{ none:4 }}',
      kept: '{{ä}} {{}}',
    });
    expect(template(scope)).toEqual({ 1: '1 and 2', one: 3, other: '4', kept: '{{ä}} {{}}' });
    expect(template.parameters.map(({ key }: { key: string }) => key)).toContain('a.b_c');
  });

  it('of notifications end', () => {
    const { compile } = pluginServer('notification-manager', 'utils/compile');
    const slow = '{{#if (test s (toRegex "^(a+)+$"))}}1{{/if}}';
    expect(() => compile(slow, { s: `${'a'.repeat(40)}b` })).toThrow(`${LIMIT} ms`);
    expect(compile({ title: 'Dear {{name}}' }, { name: 'x' })).toEqual({ title: 'Dear x' });
    expect(Handlebars.compile('{{a}}')({ a: 1 })).toBe('1');
  });

  it('of SQL end', async () => {
    const { parseLiquidContext } = hostPackage('@nocobase/utils');
    const endless = '{% for i in (1..9000) %}{% for j in (1..9000) %}{{ i }}{% endfor %}{% endfor %}';
    await expect(parseLiquidContext(endless, {})).rejects.toThrow(/limit exceeded/);
    await expect(parseLiquidContext('{% for i in (1..99999999) %}{% endfor %}', {})).rejects.toThrow(/limit exceeded/);
    expect(await parseLiquidContext('{% if ctx.a %}x{% endif %}', { a: 1 })).toBe('x');
  });
});

describe('loops of workflows', () => {
  const node = (condition: object) => ({ id: 1, config: { target: '{{n}}', condition } });
  function processorOf(target: unknown) {
    const job = {
      result: { looped: 0, done: 0 },
      status: 0,
      set(values: object) {
        Object.assign(this, values);
      },
      changed: () => undefined,
    };
    return {
      job,
      runs: 0,
      getBranches: () => [{}],
      getParsedValue: (value: unknown) => (value === '{{n}}' ? target : value),
      getScope: () => ({}),
      saveJob: () => job,
      async run() {
        this.runs++;
      },
    };
  }
  const run = (processor: object, condition: object, app = crm) => {
    const { default: LoopInstruction } = pluginServer('workflow-loop', 'LoopInstruction');
    return new LoopInstruction({ app }).run(node(condition), null, processor);
  };
  const no = { calculator: 'equal', operands: [1, 2] };

  it('end that look for an item without a pause', async () => {
    const search = { calculation: no, continueOnFalse: true };
    await expect(run(processorOf(1e15), search)).rejects.toThrow(`${LIMIT} ms`);
    expect(await run(processorOf(3), search)).toMatchObject({ status: 1, result: { looped: 3 } });
    const repeated = processorOf(3);
    await run(repeated, {});
    expect(repeated.runs).toBe(1);
  });

  it('let others have their turn, however often they are repeated', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 5);
    const until = performance.now() + 5_000;
    while (turns < 3 && performance.now() < until) await run(processorOf(1), {});
    clearInterval(timer);
    expect(turns).toBe(3);
  });
});
