import { Button, type ButtonProps, Dropdown, type MenuProps } from 'antd';
import { useRef, useState } from 'react';
import { INTO_SIGHT, MenuFocus } from './MenuFocus';

type Choice = Parameters<NonNullable<MenuProps['onClick']>>[0];

/**
 * What Enter does on an entry of a menu: it follows the link of the entry, as a click does. The menu's button, which has
 * the focus next, does not get the key, which would open the menu again.
 */
export function finishKey({ domEvent }: Choice): void {
  if (domEvent.type !== 'keydown') return;
  domEvent.preventDefault();
  domEvent.currentTarget.querySelector('a')?.click();
}

/** A button with a menu. It has the focus once an entry was chosen: a dialog that this opens gives it back to the button. */
export function MenuButton({
  menu,
  ...rest
}: ButtonProps & { menu: MenuProps } & Partial<Record<`data-${string}`, string>>) {
  const button = useRef<HTMLButtonElement>(null);
  const [isOpen, setOpen] = useState(false);
  const [openings, setOpenings] = useState(0);
  const show = (open: boolean) => {
    setOpen(open);
    if (open) setOpenings(openings + 1);
  };
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const onClick = (choice: Choice) => {
    finishKey(choice);
    button.current?.focus();
    menu.onClick?.(choice);
  };
  return (
    <Dropdown
      open={isOpen}
      onOpenChange={show}
      trigger={['click']}
      autoAdjustOverflow={INTO_SIGHT}
      disabled={rest.disabled}
      menu={{ ...menu, onClick }}
      dropdownRender={(content) => (
        <MenuFocus openings={openings} close={close}>
          {content}
        </MenuFocus>
      )}
    >
      <Button aria-haspopup="menu" aria-expanded={isOpen} {...rest} ref={button} />
    </Dropdown>
  );
}
