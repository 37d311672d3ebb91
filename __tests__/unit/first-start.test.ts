import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { endAfterFailedStart } from '../../src/server/core/first-start';

describe('a process whose main app could not start', () => {
  afterEach(() => vi.restoreAllMocks().useRealTimers());

  it.each([
    ['ends with 1, after the core has written why', 'main', 'error', false, [1]],
    ['goes on while the main app installs', 'main', 'initialized', false, []],
    ['goes on after a failure of an app', 'app_a', 'error', false, []],
    ['goes on after its main app had started once: apps may run beside it', 'main', 'error', true, []],
  ])('%s', (_, appName, status, begun, codes) => {
    vi.useFakeTimers();
    vi.spyOn(console, 'error').mockReturnValue();
    const host = new EventEmitter();
    const ended: number[] = [];
    const main = appName === 'main' ? status : 'initialized';
    endAfterFailedStart(
      host,
      () => ({ main, begun, loaded: null, role: undefined }),
      (code) => ended.push(code),
    );
    host.emit('appStatusChanged', { appName, status });
    expect(ended).toEqual([]);
    vi.runAllTimers();
    expect(ended).toEqual(codes);
  });
});
