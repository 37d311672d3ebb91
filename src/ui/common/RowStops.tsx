import { type ReactNode, useEffect, useRef } from 'react';

/** What can have the focus in a row. */
const INSIDE = 'a[href], button, input';
const ROW = '[data-row]';

interface Props {
  /** Selects what has the focus when the Tab key comes to a row; its first element if this is left out. */
  first?: string;
  /** Rows are elements with `data-row`. */
  children: ReactNode;
}

/**
 * Makes each row one stop of the Tab key: Left and Right, Home and End move the focus inside a row, Up and Down to the
 * same place in another one. Works on elements, because a row has dozens of components and is rendered in parts.
 */
export function RowStops({ first, children }: Props) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    /** What had the focus last, by row. */
    const last = new WeakMap<Element, Element>();
    const rowsOf = () => [...element.querySelectorAll(ROW)];
    const update = () => {
      for (const row of rowsOf()) makeOneStop(row, last.get(row), first);
    };
    const onFocus = ({ target }: FocusEvent) => {
      const row = target instanceof Element && target.closest(ROW);
      if (!row) return;
      last.set(row, target);
      makeOneStop(row, target, first);
    };
    const onKey = (event: KeyboardEvent) => {
      const next = event.target instanceof Element ? nextOf(event.key, event.target, rowsOf) : undefined;
      if (!next) return;
      // Not the page, too.
      event.preventDefault();
      next.focus();
    };
    update();
    const observer = new MutationObserver(update);
    observer.observe(element, { childList: true, subtree: true });
    element.addEventListener('focusin', onFocus);
    element.addEventListener('keydown', onKey);
    return () => {
      observer.disconnect();
      element.removeEventListener('focusin', onFocus);
      element.removeEventListener('keydown', onKey);
    };
  }, [first]);
  return <div ref={box}>{children}</div>;
}

const insideOf = (row: Element) => [...row.querySelectorAll<HTMLElement>(INSIDE)];

function makeOneStop(row: Element, last: Element | undefined, first: string | undefined): void {
  const inside = insideOf(row);
  const stop =
    inside.find((each) => each === last) ?? (first && inside.find((each) => each.matches(first))) ?? inside[0];
  for (const each of inside) {
    const index = each === stop ? 0 : -1;
    if (each.tabIndex !== index) each.tabIndex = index;
  }
}

function nextOf(key: string, from: Element, rowsOf: () => Element[]): HTMLElement | undefined {
  const row = from.closest(ROW);
  if (!row) return undefined;
  const inside = insideOf(row);
  const at = inside.indexOf(from as HTMLElement);
  if (at < 0) return undefined;
  if (key === 'ArrowRight') return inside[at + 1];
  if (key === 'ArrowLeft') return inside[at - 1];
  if (key === 'Home') return inside[0];
  if (key === 'End') return inside.at(-1);
  const step = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (!step) return undefined;
  const rows = rowsOf();
  const there = rows[rows.indexOf(row) + step];
  return there && likeIn(insideOf(there), from, at === inside.length - 1 ? -1 : at);
}

/** The element with the same text, otherwise at the same place: rows have different numbers of labels and links. */
function likeIn(inside: HTMLElement[], from: Element, at: number): HTMLElement | undefined {
  const same = inside.find(({ textContent }) => textContent && textContent === from.textContent);
  return same ?? inside.at(at) ?? inside.at(-1);
}
