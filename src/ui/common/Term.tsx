import { css } from '@emotion/css';
import { Tooltip } from 'antd';
import type { ReactNode } from 'react';
import { TARGET } from './theme';

/** A word that is explained under the pointer and by keyboard. */
export function Term({ help, children }: { help: string; children: ReactNode }) {
  return (
    <Tooltip title={help} trigger={['hover', 'focus']}>
      <button type="button" className={LOOKS}>
        {children}
      </button>
    </Tooltip>
  );
}

const LOOKS = css({
  minHeight: TARGET,
  padding: 0,
  border: 0,
  background: 'none',
  color: 'inherit',
  font: 'inherit',
  textAlign: 'start',
  cursor: 'help',
  textDecoration: 'underline dotted',
  textUnderlineOffset: 3,
});
