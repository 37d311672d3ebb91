import { describe, expect, it } from 'vitest';
import { appModelsOf } from '../../src/server/core/adapters/app-models';
import { entryUrl } from '../../src/server/core/entries';
import { RoutingTable } from '../../src/server/proxy';
import {
  afterCheck,
  FAILURES_UNTIL_FAILED,
  pauseAfter,
  VERIFIED_EVERY,
} from '../../src/server/supervisor/domains/domain-state';
import { DomainWatch } from '../../src/server/supervisor/domains/domain-watch';
import { type DomainCheck, domainStateOf, leadsToDomain } from '../../src/shared/domain-check';
import { parseAppsDomain } from '../../src/shared/origins';
import type { DomainReason } from '../../src/shared/words';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';
import { SeededRandom } from '../support/random';

const DOMAIN = 'crm.test';
const known = (values: Partial<DomainCheck> = {}): DomainCheck => ({
  domain: DOMAIN,
  state: 'verified',
  since: 1,
  reason: null,
  ...values,
});
const failed = known({ state: 'failed', reason: 'unreachable' });

describe('what is known of a domain', () => {
  it.each<[string, Parameters<typeof domainStateOf>[0], string | null, boolean]>([
    ['none is set', { cname: null, domainCheck: known() }, null, false],
    ['it was never checked', { cname: DOMAIN, domainCheck: null }, 'pending', false],
    ['another one was checked', { cname: DOMAIN, domainCheck: known({ domain: 'old.test' }) }, 'pending', false],
    ['it works', { cname: DOMAIN, domainCheck: known() }, 'verified', true],
    ['it does not', { cname: DOMAIN, domainCheck: failed }, 'failed', false],
    [
      'nobody can know',
      { cname: DOMAIN, domainCheck: known({ state: 'pending', reason: 'noPublicUrl' }) },
      'pending',
      true,
    ],
  ])('%s', (_, app, state, leads) => {
    expect(domainStateOf(app)?.state ?? null).toBe(state);
    expect(leadsToDomain(app)).toBe(leads);
  });

  const after = (before: DomainCheck | null, reason: DomainReason | null, failures: number) =>
    afterCheck(before, DOMAIN, reason, failures, 9);
  it.each<[string, DomainCheck | null, DomainReason | null, number, DomainCheck]>([
    ['works', null, null, 0, known({ since: 9 })],
    ['works still, since it did first', known(), null, 0, known()],
    ['works again', failed, null, 0, known({ since: 9 })],
    ['fails', null, 'tls', 1, known({ state: 'failed', since: 9, reason: 'tls' })],
    ['fails for another reason, since it did first', failed, 'tls', 2, known({ state: 'failed', reason: 'tls' })],
    ['has a moment', known(), 'unreachable', FAILURES_UNTIL_FAILED - 1, known()],
    ['works no more', known(), 'unreachable', FAILURES_UNTIL_FAILED, known({ ...failed, since: 9 })],
    ['cannot be checked', known(), 'noPublicUrl', 1, known({ state: 'pending', since: 9, reason: 'noPublicUrl' })],
    ['is new, and fails', known({ domain: 'old.test' }), 'tls', 1, known({ state: 'failed', since: 9, reason: 'tls' })],
  ])('it %s', (_, before, reason, failures, expected) => {
    expect(after(before, reason, failures)).toEqual(expected);
  });

  it('is checked again after growing pauses, every minute while it fails, and every 10 minutes once it works', () => {
    expect([1, 2, 3, 8, 100, 0].map(pauseAfter)).toEqual([5_000, 10_000, 20_000, 60_000, 60_000, VERIFIED_EVERY]);
  });
});

describe('links', () => {
  const addresses = { publicUrl: 'https://main.test', path: '/' };
  const entry = (domainCheck: DomainCheck | null) =>
    ({ name: 'crm', title: 'CRM', cname: DOMAIN, domainCheck, environments: [], visibleRoles: [], sort: 0 }) as never;
  it.each<[string, DomainCheck | null, string | null, string]>([
    ['to a domain that works', known(), null, 'https://crm.test/admin/'],
    ['past one that does not', failed, null, 'https://main.test/apps/crm/admin/'],
    ['past one that is not checked yet', null, null, 'https://main.test/apps/crm/admin/'],
    ['past it, to the app’s own host', failed, 'apps.test', 'https://crm.apps.test/admin/'],
  ])('lead %s', (_, check, appsDomain, expected) => {
    const [model] = appModelsOf([entry(check)], appsDomain);
    expect(entryUrl(model, { ...addresses, appsDomain })).toBe(expected);
    // Whoever comes to the domain is at the app, whatever is known of it.
    expect(model.hosts).toContain(DOMAIN);
  });

  it('and redirects lead to an origin of the app that works', () => {
    const table = new RoutingTable(parseAppsDomain('apps.test'));
    const app = { name: 'crm', cname: DOMAIN, environments: [], statuses: new Map() } as never as object;
    const ownHost = (leads: boolean | undefined) => table.ownHost({ ...app, leadsToDomain: leads } as never);
    table.replaceApps([app as never]);
    expect([ownHost(undefined), ownHost(true), ownHost(false)]).toEqual([DOMAIN, DOMAIN, 'crm.apps.test']);
  });

  it('and codes of a sign-in go to a domain that is verified', () => {
    const table = new RoutingTable(parseAppsDomain('apps.test'));
    const app = { name: 'crm', cname: DOMAIN, environments: [], statuses: new Map() };
    table.replaceApps([app as never]);
    const hosts = (verified?: boolean) => table.signInHostsOf({ ...app, isDomainVerified: verified } as never);
    expect([hosts(), hosts(false)]).toEqual([['crm.apps.test'], ['crm.apps.test']]);
    expect(hosts(true)).toEqual([DOMAIN, 'crm.apps.test']);
  });
});

describe('the checks', () => {
  function setup({
    leads = true,
    publicUrl = 'https://main.test:8443' as string | null,
    answer = null as DomainReason | null,
    refresh = async () => {},
  } = {}) {
    const clock = new FakeClock();
    const app = { name: 'crm', uid: 'uid-1', cname: DOMAIN as string | null, domainCheck: null as DomainCheck | null };
    const asked: string[] = [];
    const told: string[] = [];
    const state = { leads, answer };
    const listeners: Array<() => void> = [];
    const watch = new DomainWatch({
      appCache: { apps: new Map([['crm', app]]), refresh } as never,
      appRepository: {
        updateLiving: async (_: unknown, values: object) => {
          Object.assign(app, values);
          return true;
        },
      } as never,
      leadership: {
        get leads() {
          return state.leads;
        },
        write: (work: () => unknown) => work(),
        onChange: (listener: () => void) => listeners.push(listener),
      } as never,
      bus: { notify: (_, names) => void told.push(...names) },
      addresses: { publicUrl, appsDomain: null },
      probe: async (address) => {
        asked.push(address);
        return state.answer;
      },
      clock,
      random: new SeededRandom(),
      log: recordedLog(),
    });
    watch.start();
    const lead = () => {
      state.leads = true;
      for (const listener of listeners) listener();
    };
    return { clock, app, asked, told, state, watch, lead };
  }

  it('ask at the scheme and port of the Supervisor’s address, and store what changes', async () => {
    const { clock, app, asked, told } = setup();
    await clock.run(1_000);
    expect(asked).toEqual(['https://crm.test:8443']);
    expect(app.domainCheck).toMatchObject({ domain: DOMAIN, state: 'verified', reason: null });
    await clock.run(VERIFIED_EVERY + 1_000);
    expect([asked.length, told]).toEqual([2, ['crm']]);
  });

  it('tell other Supervisors what they have stored also where it cannot be read after that', async () => {
    const refresh = () => Promise.reject(new Error('connect ECONNREFUSED'));
    const { clock, told } = setup({ refresh });
    await clock.run(1_000);
    expect(told).toEqual(['crm']);
  });

  it('come sooner while they fail, and at once for another domain', async () => {
    const { clock, app, asked, state, watch } = setup({ answer: 'unresolved' });
    await clock.run(16_000);
    // At 0, 5 and 15 s.
    expect(asked.length).toBe(3);
    expect(app.domainCheck).toMatchObject({ state: 'failed', reason: 'unresolved' });
    app.cname = 'new.test';
    state.answer = null;
    watch.note(['crm']);
    await clock.run(0);
    expect(asked.at(-1)).toBe('https://new.test:8443');
    expect(domainStateOf(app)).toMatchObject({ state: 'verified' });
    app.cname = null;
    watch.note(['crm']);
    await clock.run(VERIFIED_EVERY + 1_000);
    expect(asked.length).toBe(4);
  });

  it('are those of the leader alone, and none without the Supervisor’s own address', async () => {
    const follower = setup({ leads: false });
    await follower.clock.run(5_000);
    expect([follower.asked, follower.clock.waiting]).toEqual([[], 0]);
    follower.lead();
    await follower.clock.run(1_000);
    expect(follower.asked.length).toBe(1);
    const { clock, app, asked, watch } = setup({ publicUrl: null });
    await clock.run(1_000);
    expect([asked, app.domainCheck]).toMatchObject([[], { state: 'pending', reason: 'noPublicUrl' }]);
    watch.stop();
    expect(clock.waiting).toBe(0);
  });
});
