import { Dropdown, type MenuProps } from 'antd';
import { type ReactNode, useRef, useState } from 'react';
import { COVER, RowButton } from './RowButton';

interface Props extends Partial<Record<`data-${string}`, string>> {
  menu: () => MenuProps;
  'aria-label': string;
  children: ReactNode;
}

/** A button in a table's row with a menu, which is made when it is first opened. */
export function RowMenu({ menu, children, ...rest }: Props) {
  const button = useRef<HTMLButtonElement>(null);
  const [isOpen, setOpen] = useState<boolean>();
  /** When the button is pressed, before that closes the menu as any press outside of it does. */
  const wasOpen = useRef(false);
  const show = (open: boolean) => {
    setOpen(open);
    if (!open && !hasFocusElsewhere()) button.current?.focus();
  };
  return (
    <span style={{ position: 'relative', display: 'inline-flex' }}>
      <RowButton
        {...rest}
        ref={button}
        aria-haspopup="menu"
        aria-expanded={isOpen ?? false}
        onPointerDown={() => {
          wasOpen.current = isOpen ?? false;
        }}
        onClick={({ detail }) => setOpen(!(detail && wasOpen.current))}
      >
        {children}
      </RowButton>
      {isOpen !== undefined && (
        <Dropdown open={isOpen} onOpenChange={show} trigger={['click']} autoFocus menu={isOpen ? menu() : {}}>
          <span className={COVER} />
        </Dropdown>
      )}
    </span>
  );
}

const hasFocusElsewhere = () =>
  document.activeElement !== document.body && !document.activeElement?.closest('.ant-dropdown');
