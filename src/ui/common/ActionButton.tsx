import { Button, type ButtonProps, Tooltip } from 'antd';
import type { MouseEvent } from 'react';
import { useT } from '../host';
import type { Message } from './text';

/** A button that, if its action is disabled, stays focusable with the keyboard and says why. */
export function ActionButton({
  refused,
  onClick,
  href,
  style,
  ...rest
}: ButtonProps & { refused: Message | null } & Partial<Record<`data-${string}`, string>>) {
  const t = useT();
  if (!refused) {
    return <Button {...rest} href={href} style={style} onClick={onClick} />;
  }
  const reason = t(refused.text, refused.values);
  return (
    <Tooltip title={reason} trigger={['hover', 'focus']}>
      <Button
        {...rest}
        aria-disabled
        aria-description={reason}
        danger={false}
        style={{ ...style, opacity: 0.45, cursor: 'not-allowed' }}
        onClick={(event: MouseEvent) => event.preventDefault()}
      />
    </Tooltip>
  );
}
