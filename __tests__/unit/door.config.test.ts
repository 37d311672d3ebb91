import { expect, it } from 'vitest';
import { ConfigError } from '../../src/server/config';
import { doorConfig } from '../../src/server/config/door';

/** What the operator of a door sets, and what is said of a wrong value. */
const WHOLE = {
  APP_SUPERVISOR_REDIS_URL: 'redis://redis',
  APP_SUPERVISOR_PUBLIC_KEY: 'A'.repeat(43),
  APP_SUPERVISOR_DOOR_SUPERVISORS: 'http://one:13000, https://two/',
};

function problemsOf(env: Record<string, string>): string[] {
  try {
    doorConfig({ ...WHOLE, ...env });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

it('needs the Supervisors, Redis and the public key', () => {
  expect(doorConfig({ ...WHOLE })).toMatchObject({
    folder: '/var/lib/nocobase-door',
    http: ':8080',
    https: null,
    supervisors: ['http://one:13000', 'https://two'],
    connections: null,
    threads: null,
    redis: { stateUrl: 'redis://redis', prefix: 'app-supervisor' },
  });
  expect(() => doorConfig({})).toThrow('The door cannot start with these environment variables:');
  expect(problemsOf(Object.fromEntries(Object.keys(WHOLE).map((name) => [name, ''])))).toHaveLength(3);
});

it.each([
  ['APP_SUPERVISOR_DOOR_HTTP', 'door.example.com:80'],
  ['APP_SUPERVISOR_DOOR_HTTP', '8080'],
  ['APP_SUPERVISOR_DOOR_HTTP', ':8080 ssl'],
  ['APP_SUPERVISOR_DOOR_HTTP', '[::1:8080'],
  ['APP_SUPERVISOR_DOOR_METRICS', ':70000'],
  ['APP_SUPERVISOR_DOOR_FOLDER', '/var/lib/a door'],
  ['APP_SUPERVISOR_DOOR_FOLDER', "/var/lib/'"],
  ['APP_SUPERVISOR_DOOR_SUPERVISORS', 'http://one, two'],
  ['APP_SUPERVISOR_DOOR_THREADS', '65'],
  ['APP_SUPERVISOR_PUBLIC_KEY', 'short'],
])('names %s, which is "%s"', (name, value) => {
  const [problem, ...more] = problemsOf({ [name]: value });
  expect(problem).toMatch(new RegExp(`^${name} is "`));
  expect(more).toEqual([]);
});

it.each(['https://10.0.0.5:13000', 'https://[::1]', 'http://a..b', 'http://supervisor.'])(
  'names a Supervisor to which HAProxy cannot connect: %s',
  (address) => {
    expect(problemsOf({ APP_SUPERVISOR_DOOR_SUPERVISORS: `http://one,${address}` })).toEqual([
      expect.stringContaining(`has "${address}"; the host must be`),
    ]);
  },
);

it('knows which settings need each other', () => {
  expect(problemsOf({ APP_SUPERVISOR_DOOR_HTTPS: ':8443' })).toEqual([
    expect.stringContaining('APP_SUPERVISOR_DOOR_CERTIFICATES is not set'),
  ]);
  expect(problemsOf({ APP_SUPERVISOR_DOOR_REDIRECT: 'true' })).toEqual([
    expect.stringContaining('APP_SUPERVISOR_DOOR_HTTPS is not set'),
  ]);
  expect(problemsOf({ APP_SUPERVISOR_DOOR_HTTP: 'none' })).toEqual([expect.stringContaining('are both "none"')]);
});
