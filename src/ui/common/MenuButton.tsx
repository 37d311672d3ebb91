import { Button, type ButtonProps, Dropdown, type MenuProps } from 'antd';
import { useRef, useState } from 'react';

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
  const onClick = (choice: Choice) => {
    finishKey(choice);
    button.current?.focus();
    menu.onClick?.(choice);
  };
  return (
    <Dropdown autoFocus trigger={['click']} disabled={rest.disabled} onOpenChange={setOpen} menu={{ ...menu, onClick }}>
      <Button aria-haspopup="menu" aria-expanded={isOpen} {...rest} ref={button} />
    </Dropdown>
  );
}
