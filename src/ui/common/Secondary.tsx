import type { ReactNode } from 'react';

/** Secondary text; a plain element, because tables contain hundreds of them. */
export function Secondary({ children }: { children: ReactNode }) {
  return <span style={{ opacity: 0.7 }}>{children}</span>;
}
