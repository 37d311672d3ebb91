import { Dropdown, type MenuProps } from 'antd';
import { type ReactNode, useRef, useState } from 'react';
import { finishKey } from './MenuButton';
import { INTO_SIGHT, MenuFocus } from './MenuFocus';
import { COVER, RowButton } from './RowButton';

interface Props extends Partial<Record<`data-${string}`, string>> {
  menu: () => MenuProps;
  'aria-label': string;
  children: ReactNode;
}

/** A button in a table's row with a menu, which is created when it first opens. */
export function RowMenu({ menu, children, ...rest }: Props) {
  const button = useRef<HTMLButtonElement>(null);
  const [isOpen, setOpen] = useState<boolean>();
  const [openings, setOpenings] = useState(0);
  /** Read when the button is pressed, before the press closes the menu as any press outside of it does. */
  const wasOpen = useRef(false);
  const show = (open: boolean) => {
    setOpen(open);
    if (!open && button.current && !hasFocusElsewhere(button.current)) takeFocusBack(button.current);
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
        onClick={({ detail }) => {
          const opens = !(detail && wasOpen.current);
          setOpen(opens);
          if (opens) setOpenings(openings + 1);
        }}
      >
        {children}
      </RowButton>
      {isOpen !== undefined && (
        <Dropdown
          open={isOpen}
          onOpenChange={show}
          trigger={['click']}
          autoAdjustOverflow={INTO_SIGHT}
          menu={isOpen ? finished(menu()) : {}}
          dropdownRender={(content) => (
            <MenuFocus openings={openings} close={() => show(false)}>
              {content}
            </MenuFocus>
          )}
        >
          <span className={COVER} />
        </Dropdown>
      )}
    </span>
  );
}

const finished = (menu: MenuProps): MenuProps => ({
  ...menu,
  onClick: (choice) => {
    finishKey(choice);
    menu.onClick?.(choice);
  },
});

const isInMenu = () => Boolean(document.activeElement?.closest('.ant-dropdown'));

const hasFocusElsewhere = (button: HTMLButtonElement) =>
  document.activeElement !== document.body && document.activeElement !== button && !isInMenu();

/**
 * Also handles a menu that takes the focus late: rc-dropdown focuses the menu three frames after it has opened, even if
 * it has closed again (useAccessibility.js:62).
 */
function takeFocusBack(button: HTMLButtonElement, frames = 5): void {
  if (!hasFocusElsewhere(button)) button.focus();
  if (frames > 0) requestAnimationFrame(() => takeFocusBack(button, frames - 1));
}
