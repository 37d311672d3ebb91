import { expect, it } from 'vitest';
import { Visitors } from '../support/door-compare';
import { compareAll, WORLDS } from '../support/door-runs';
import { startWorld } from '../support/door-world';

/** As integration/door.requests.test.ts, fifty times as often. */
it.each(Object.entries(WORLDS))(
  '50,000 requests pass the door as the module: %s',
  async (_, { settings, seed }) => {
    const world = await startWorld(settings);
    const visitors = new Visitors(world);
    const { different, counted, taken } = await compareAll(world, visitors, seed + 10_000, 50_000);
    visitors.close();
    await world.stop();
    console.log(`taken by the rules: ${Math.round(100 * taken)} %`, counted);
    expect(different).toEqual([]);
    expect(taken).toBeGreaterThan(0.5);
  },
  60 * 60_000,
);

/**
 * Rules that no comparison needs: they count, which door.survival.test.ts shows, or answer where a limit is reached or somebody is away,
 * which integration/door.away.test.ts shows.
 */
const SHOWN_ELSEWHERE = new RegExp(
  [
    'track-sc',
    'use_backend ws:',
    'table_',
    String.raw`sc\d_`,
    String.raw`txn\.(?:address|counts|open|busy|away|file)`,
    'return status',
    'nbsrv',
    'be_conn',
    'away',
    'use-service',
    'disable-l7-retry',
    // To the nginx of a Worker's image: door.proxy.test.ts.
    'door-again',
    // HTTPS, in integration/door.tls.test.ts.
    String.raw`ssl_fc,iif\(https,http\)\] if !\{ req`,
    // These save time. Of a usual call of the API, its conditions are taken out one by one below.
    String.raw`unset-var\(txn\.jar\)`,
    'del-header keep-alive$',
    'allow if !to_read',
    'if plain_form plain_method {',
    'if !token || own_token$',
    String.raw`concat\("\\n",txn\.name\) if \{`,
  ].join('|'),
);
const RULE = /^ {2}(?:http-request|http-response|use_backend|tcp-request)/;
/** Requests, most of them odd, of which one has to miss a rule that is taken out. */
const SOUGHT = 6_000;

/**
 * What makes a call of the API a usual one: words of the rules for it. `whole` and `with_data` are about a body that nobody announces: where it
 * came early, and where it comes late, so that the other one sees most of what one of them misses.
 */
const CONDITIONS = [
  ...['plain_method', '!unusual_connection', '!token_in_query', '!token_elsewhere'],
  ...['own_token', 'plain_jar', 'usual_jar'],
];
/**
 * Fields that no usual call has, and those that none has twice: names in a condition of the rules for it. Others have a second guard: HAProxy
 * drops what is for one connection and refuses two hosts, a body comes with its fields, and `Token` with what looks like a token.
 */
const RARE = [
  ...['x-app-environment', 'x-app-supervisor-via', 'te', 'proxy-authenticate', 'x-app', 'x-forwarded-[^,]*'],
  ...['cookie', 'authorization', 'x-hostname', 'x-authenticator'],
];
const USUAL = /(?<=# a usual call of the API.*\n)|(?=\n {2}# the app: parameter)/;
const withoutField = (text: string, name: string): string => {
  const [before, usual, after] = text.split(USUAL);
  const alone = new RegExp(`(?<=[:|>])${name.replace('[^,]*', String.raw`\[\^,\]\*`)}(?=[|)])`, 'g');
  const rules = usual.replace(/req\.hdr_names -m reg .*/, (names) => names.replaceAll(alone, 'none'));
  expect(rules).not.toBe(usual);
  return before + rules + after;
};
const withoutCondition = (text: string, condition: string): string => {
  const [before, usual, after] = text.split(USUAL);
  const rules = usual.replaceAll(
    ` ${condition === 'own_token' ? '|| own_token' : condition}`,
    condition === 'own_token' ? ' || TRUE' : '',
  );
  expect(rules).not.toBe(usual);
  return before + rules + after;
};

it.each(Object.entries(WORLDS))(
  'each rule that is taken out is missed, and each condition of a usual call: %s',
  async (_, { settings, seed }) => {
    let rules: string[] = [];
    const compared = async (edit: (text: string) => string, whole?: Awaited<ReturnType<typeof compareAll>>) => {
      const world = await startWorld(settings, (files) => {
        const text = files['haproxy.cfg'];
        const lines = text.split('\n').filter((line) => RULE.test(line) && !SHOWN_ELSEWHERE.test(line));
        rules = [...new Set(lines.map(withoutFolder))];
        return { ...files, 'haproxy.cfg': edit(text) };
      });
      const visitors = new Visitors(world);
      const enough = whole ? 1 : undefined;
      const result = await compareAll(world, visitors, seed, SOUGHT, {
        enough,
        oddOnes: 90,
        outcomes: whole?.outcomes,
      });
      visitors.close();
      await world.stop();
      return result;
    };
    const whole = await compared((text) => text);
    expect(whole.different).toEqual([]);
    const without = (rule: string) => (text: string) =>
      text
        .split('\n')
        .filter((line) => withoutFolder(line) !== rule)
        .join('\n');
    const edits = [
      ...rules.map((rule) => [rule, without(rule)] as const),
      ...CONDITIONS.map((condition) => [condition, (text: string) => withoutCondition(text, condition)] as const),
      ...RARE.map((name) => [`field ${name}`, (text: string) => withoutField(text, name)] as const),
    ];
    const unmissed: string[] = [];
    for (const [what, edit] of edits) if ((await compared(edit, whole)).different.length === 0) unmissed.push(what);
    expect(unmissed).toEqual([]);
  },
  60 * 60_000,
);

const withoutFolder = (line: string): string => line.replaceAll(/\/\S*\/door-\w+/g, '');
