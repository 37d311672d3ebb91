import { connect, createServer } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { ConnectionLoss, closeWithin, within } from '../../src/server/databases/session';

const late = () => new Error('late');

describe('within', () => {
  it('rejects when the time is over, and not earlier', async () => {
    vi.useFakeTimers();
    try {
      const settled = vi.fn();
      const waiting = within(systemClock, 1_000, new Promise(() => {}), late).catch(settled);
      await vi.advanceTimersByTimeAsync(990);
      expect(settled).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(20);
      await waiting;
      expect(settled).toHaveBeenCalledWith(late());
    } finally {
      vi.useRealTimers();
    }
  });

  it('does not mistake a blocked event loop for a silent server', async () => {
    const server = createServer((socket) => socket.end('answer'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const answer = fetchText(port);
    const waiting = within(systemClock, 1_000, answer, late);
    const until = performance.now() + 1_200;
    while (performance.now() < until); // an app's boot
    expect(await waiting).toBe('answer');
    server.close();
  });

  it('leaves no timer behind', async () => {
    vi.useFakeTimers();
    try {
      await within(systemClock, 1_000, Promise.resolve(1), late);
      await expect(within(systemClock, 1_000, Promise.reject(new Error('own')), late)).rejects.toThrow('own');
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

it('closing waits only half a second for a silent server', async () => {
  vi.useFakeTimers();
  try {
    const destroy = vi.fn();
    const closing = closeWithin(new Promise(() => {}), destroy);
    await vi.advanceTimersByTimeAsync(490);
    expect(destroy).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(20);
    await closing;
    expect(destroy).toHaveBeenCalledOnce();
    await closeWithin(Promise.reject(new Error('closed already')), destroy);
  } finally {
    vi.useRealTimers();
  }
});

it('a loss is reported once, also to listeners that are added later', () => {
  const loss = new ConnectionLoss();
  const [early, lateOne] = [vi.fn(), vi.fn()];
  loss.listen(early);
  loss.emit(new Error('first'));
  loss.emit(new Error('second'));
  loss.listen(lateOne);
  for (const listener of [early, lateOne]) {
    expect(listener).toHaveBeenCalledOnce();
    expect(listener).toHaveBeenCalledWith(new Error('first'));
  }
});

function fetchText(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    connect(port, '127.0.0.1')
      .on('data', (chunk) => {
        text += chunk;
      })
      .on('end', () => resolve(text))
      .on('error', reject);
  });
}
