import { type StartTimer, throttle } from '../../shared/throttle';

const timeout: StartTimer = (ms, work) => {
  const timer = setTimeout(work, ms);
  return { cancel: () => clearTimeout(timer) };
};

export interface Page<Row> {
  rows: Row[];
  count: number;
}

/**
 * Never runs `load` twice at the same time: requests during a run cause one more run after it, and `run` waits for that
 * run.
 *
 * @param load never rejects
 * @param wait ms between the first `soon()` and the run that it shares with later calls
 */
export function createRefresher(load: () => Promise<void>, wait: number) {
  let running: Promise<void> | undefined;
  let again = false;

  const runs = async () => {
    do {
      again = false;
      await load();
    } while (again);
    running = undefined;
  };
  const run = () => {
    if (running) again = true;
    running ??= runs();
    return running;
  };

  const soon = throttle(() => void run(), wait, { leading: false, timeout });

  return {
    run,
    soon,
    stop() {
      soon.cancel();
      again = false;
    },
  };
}

/** A page of rows, with the rule of `keepRows`. */
export function keepPage<Row>(previous: Page<Row> | undefined, next: Page<Row>, id: (row: Row) => string): Page<Row> {
  const rows = keepRows(previous?.rows, next.rows, id);
  return previous && rows === previous.rows && next.count === previous.count ? previous : { ...next, rows };
}

/**
 * Returns the rows of `next`, but reuses the objects of `previous` for unchanged rows, so that their components do not
 * render again.
 */
export function keepRows<Row>(previous: Row[] | undefined, next: Row[], id: (row: Row) => string): Row[] {
  const known = new Map(previous?.map((row) => [id(row), row]));
  const kept = next.map((row) => {
    const old = known.get(id(row));
    return old && JSON.stringify(old) === JSON.stringify(row) ? old : row;
  });
  const isSame = previous?.length === kept.length && kept.every((row, index) => row === previous[index]);
  return isSame ? previous : kept;
}
