import type { ReactNode } from 'react';

/** Text of lesser weight; a plain element, since tables hold hundreds of them. */
export function Secondary({ children }: { children: ReactNode }) {
  return <span style={{ opacity: 0.7 }}>{children}</span>;
}
