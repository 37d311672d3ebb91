import { type CSSProperties, type ReactNode, useEffect, useRef } from 'react';

/** In frames. A menu that is not placed by then gets the focus where it is. */
const PATIENCE = 30;

/**
 * Not by the room beside its place: a long entry would have another height there than where antd measures it, and the
 * menu would stand somewhere else.
 */
const WIDTH: CSSProperties = { width: 'max-content', maxWidth: 'calc(100vw - 16px)' };

/** Where there is room on neither side, a menu is shifted and not turned to the other side, where it would be cut. */
export const INTO_SIGHT = { adjustX: 0, adjustY: 1, shiftX: true } as const;

interface Props {
  /** How often it was opened: what is closed is not rendered, and would not say so. */
  openings: number;
  /** Of the Tab key, too, as in any menu. */
  close: () => void;
  children: ReactNode;
}

/**
 * Focuses the first entry of a menu once that is placed. antd's `autoFocus` does not wait: near the edge of the screen
 * the browser then scrolls to where the menu is not, and the menu is placed by what was scrolled.
 */
export function MenuFocus({ openings, close, children }: Props) {
  const box = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each time that it is opened
  useEffect(() => {
    let frame = 0;
    const attempt = (left: number) => {
      const entry = box.current?.querySelector<HTMLElement>('[role="menuitem"]');
      if (entry && (left <= 0 || isPlaced(entry))) entry.focus({ preventScroll: true });
      else if (left > 0) frame = requestAnimationFrame(() => attempt(left - 1));
    };
    frame = requestAnimationFrame(() => attempt(PATIENCE));
    return () => cancelAnimationFrame(frame);
  }, [openings]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the menu inside is what is pressed
    <div
      ref={box}
      style={WIDTH}
      onKeyDown={(event) => {
        if (event.key !== 'Tab') return;
        event.preventDefault();
        event.stopPropagation();
        close();
      }}
    >
      {children}
    </div>
  );
}

function isPlaced(entry: HTMLElement): boolean {
  const { top, left, bottom, width } = entry.getBoundingClientRect();
  return width > 0 && top >= 0 && left >= 0 && bottom <= window.innerHeight;
}
