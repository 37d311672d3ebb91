import type { MenuProps } from 'antd';
import { type ReactNode, useEffect, useRef } from 'react';
import { useHost } from '../host';
import { Secondary } from './Secondary';
import type { Message } from './text';

type Item = NonNullable<MenuProps['items']>[number];

interface Entry extends Partial<Record<`data-${string}`, string>> {
  key: string;
  label: ReactNode;
  danger?: boolean;
  /** The reason why the action is disabled. */
  refused: Message | null;
  onClick: () => void;
}

/** Menu entries. A disabled one is in reach of the keyboard, as the others are, and says why it is disabled. */
export function useMenuEntry(): (entry: Entry) => Item {
  const { t, failure } = useHost();
  return ({ refused, ...entry }) => {
    if (!refused) return entry;
    const reason = t(refused.text, refused.values);
    return { ...entry, label: <Refused label={entry.label} reason={reason} />, onClick: () => failure(reason) };
  };
}

function Refused({ label, reason }: { label: ReactNode; reason: string }) {
  const text = useRef<HTMLDivElement>(null);
  // rc-menu overwrites the attribute, and leaves out entries that it knows as disabled when arrow keys are pressed.
  useEffect(() => {
    const entry = text.current?.closest('[role="menuitem"]');
    entry?.setAttribute('aria-disabled', 'true');
    // The element stays when the action is enabled.
    return () => entry?.removeAttribute('aria-disabled');
  }, []);
  return (
    <div ref={text} style={{ maxWidth: 260, whiteSpace: 'normal', cursor: 'not-allowed' }}>
      <div style={{ opacity: 0.45 }}>{label}</div>
      <Secondary>{reason}</Secondary>
    </div>
  );
}
