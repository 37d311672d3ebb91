import { css } from '@emotion/css';
import { TARGET } from './theme';

/** Room for fingers where antd has no token for it: a class for each component. */
export const ROOMY = {
  // Without a text it stands in the middle.
  checkbox: { className: css({ minWidth: TARGET, minHeight: TARGET, justifyContent: 'center' }) },
  radio: { className: css({ minHeight: TARGET }) },
  // The padding of an inline element moves no other one.
  typography: {
    className: css({
      '&:is(a)': { paddingBlock: 4 },
      '& .ant-typography-copy': { minWidth: TARGET, paddingBlock: 2 },
    }),
  },
};
