import { expect, it } from 'vitest';
import { sampleOf } from '../../src/server/door/statistics';
import { type Sample, Totals } from '../../src/server/door/totals';

/** What a door has counted, over all processes of HAProxy and of the feeder. */
const sample = (requests: number, more: Partial<Sample> = {}): Sample => ({
  apps: { crm: [requests, 0, 0, requests * 100] },
  environments: { env_a: [0, requests, 0, 0, 0, 0, 0] },
  door: [requests, 0],
  ...more,
});
const APPS = new Set(['crm', 'wiki']);
const fresh = (text: string | null = null) => Totals.from(text, () => 'a start');

it('counts each request once, whatever process has taken it and is gone since', () => {
  const totals = fresh();
  totals.note('one', sample(3));
  totals.note('two', sample(5));
  totals.note('one', sample(4));
  totals.keep(new Set(['two']));
  totals.note('two', sample(6));
  expect(totals.of(APPS)).toEqual(sample(10));
});

it('goes on where the last feeder was, with processes that have ended meanwhile and that have not', () => {
  const before = fresh();
  before.note('one', sample(3));
  before.note('two', sample(5));
  before.seq = 7;
  const after = Totals.from(before.text, () => 'another start');
  expect([after.start, after.seq]).toEqual(['a start', 7]);
  after.note('two', sample(6));
  after.keep(new Set(['two']));
  expect(after.of(APPS)).toEqual(sample(9));
});

it('begins anew where nothing that it understands is left', () => {
  for (const text of [null, '', '{}', '{"start":1}']) expect(fresh(text).of(APPS).apps).toEqual({});
});

it('does not count down when HAProxy has forgotten an app, and forgets apps that are deleted', () => {
  const totals = fresh();
  totals.note('one', sample(3));
  totals.note('one', { ...sample(3), apps: { crm: [1, 0, 0, 100] } });
  expect(totals.of(APPS).apps).toEqual({ crm: [3, 0, 0, 300] });
  totals.note('one', { ...sample(3), apps: { crm: [2, 0, 0, 150] } });
  expect(totals.of(APPS).apps).toEqual({ crm: [4, 0, 0, 350] });
  expect(totals.of(new Set()).apps).toEqual({});
});

it('reads what HAProxy says of apps, environments and itself', () => {
  const names = '# pxname,svname,scur,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,econ,req_tot';
  const statistics = [
    names,
    'door,FRONTEND,3,0,9,0,0,2,0,,11',
    'at:env_a,BACKEND,1,0,5,1,2,0,0,3,',
    'ws:at:env_a,BACKEND,7,7,0,0,0,0,0,1,',
    'at:env_a:env_b,BACKEND,1,0,10,0,0,0,0,0,',
    'ws:at:env_a:env_b,BACKEND,2,2,0,0,0,0,0,0,',
    'module,BACKEND,0,0,1,0,0,0,0,0,',
  ].join('\n');
  const table = [
    '# table: apps, type: string, size:102400, used:2',
    '0x7f: key=crm use=0 exp=2073599 shard=0 http_req_cnt=7 http_err_cnt=2 http_fail_cnt=1 bytes_in_cnt=5 bytes_out_cnt=800 conn_cur=1',
    // Of another thread, which met it first at the same time.
    '0x8f: key=crm use=0 exp=2073598 shard=0 http_req_cnt=1 http_err_cnt=0 http_fail_cnt=0 bytes_in_cnt=5 bytes_out_cnt=100 conn_cur=0',
  ].join('\n');
  expect(sampleOf(table, statistics, ['env_a', 'env_b'])).toEqual({
    apps: { crm: [8, 2, 1, 900] },
    environments: { env_a: [9, 15, 1, 2, 0, 0, 4] },
    door: [11, 2],
    sockets: 9,
  });
});
