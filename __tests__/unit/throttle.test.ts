import { beforeEach, expect, it } from 'vitest';
import { throttle } from '../../src/shared/throttle';
import { FakeClock } from '../support/clock';

let done = 0;
let clock: FakeClock;
const work = () => {
  done++;
};
beforeEach(() => {
  done = 0;
  clock = new FakeClock();
});

it('the first call runs immediately, later ones together, and the last one is not lost', () => {
  const call = throttle(work, 50, { leading: true, timeout: clock.timeout });
  call();
  expect(done).toBe(1);
  for (let i = 0; i < 10; i++) call();
  expect(done).toBe(1);
  clock.pass(50);
  expect(done).toBe(2);
  clock.pass(1_000);
  expect(done).toBe(2);
  call();
  expect(done).toBe(3);
  for (let ms = 0; ms < 500; ms++) {
    clock.pass(1);
    call();
  }
  expect(done).toBe(13);
});

it('or all of them run together after a while, which later calls do not extend', () => {
  const call = throttle(work, 50, { leading: false, timeout: clock.timeout });
  call();
  clock.pass(49);
  call();
  expect(done).toBe(0);
  clock.pass(1);
  expect(done).toBe(1);
  clock.pass(1_000);
  expect(done).toBe(1);
  call();
  clock.pass(50);
  expect(done).toBe(2);
});

it.each([true, false])('a call from within its work runs after it (leading: %s)', (leading) => {
  const call = throttle(
    () => {
      done++;
      if (done < 3) call();
    },
    50,
    { leading, timeout: clock.timeout },
  );
  call();
  clock.pass(49);
  expect(done).toBe(leading ? 1 : 0);
  clock.pass(1_000);
  expect(done).toBe(3);
});

it.each([true, false])('a cancelled call does not run, a later one does (leading: %s)', (leading) => {
  const call = throttle(work, 50, { leading, timeout: clock.timeout });
  call();
  call();
  call.cancel();
  clock.pass(1_000);
  expect(done).toBe(leading ? 1 : 0);
  call();
  clock.pass(50);
  expect(done).toBe(leading ? 2 : 1);
});

it('a call after a cancelled one waits for its own time', () => {
  const call = throttle(work, 50, { leading: false, timeout: clock.timeout });
  call();
  clock.pass(25);
  call.cancel();
  call();
  clock.pass(49);
  expect(done).toBe(0);
  clock.pass(1);
  expect(done).toBe(1);
});
