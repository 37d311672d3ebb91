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
    // These save time.
    String.raw`unset-var\(txn\.jar\)`,
    'del-header keep-alive$',
  ].join('|'),
);
const RULE = /^ {2}(?:http-request|http-response|use_backend|tcp-request)/;
/** Requests, most of them odd, of which one has to miss a rule that is taken out. */
const SOUGHT = 6_000;

it.each(Object.entries(WORLDS))(
  'each rule that is taken out is missed: %s',
  async (_, { settings, seed }) => {
    let rules: string[] = [];
    const compared = async (rule: string | null, outcomes?: Awaited<ReturnType<typeof compareAll>>['outcomes']) => {
      const world = await startWorld(settings, (files) => {
        const lines = files['haproxy.cfg'].split('\n');
        rules = [...new Set(lines.filter((line) => RULE.test(line) && !SHOWN_ELSEWHERE.test(line)).map(withoutFolder))];
        return { ...files, 'haproxy.cfg': lines.filter((line) => withoutFolder(line) !== rule).join('\n') };
      });
      const visitors = new Visitors(world);
      const enough = rule === null ? undefined : 1;
      const result = await compareAll(world, visitors, seed, SOUGHT, { enough, oddOnes: 90, outcomes });
      visitors.close();
      await world.stop();
      return result;
    };
    const whole = await compared(null);
    expect(whole.different).toEqual([]);
    const unmissed: string[] = [];
    for (const rule of [...rules])
      if ((await compared(rule, whole.outcomes)).different.length === 0) unmissed.push(rule);
    expect(unmissed).toEqual([]);
  },
  60 * 60_000,
);

const withoutFolder = (line: string): string => line.replaceAll(/\/\S*\/door-\w+/g, '');
