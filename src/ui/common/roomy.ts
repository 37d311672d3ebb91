import { css } from '@emotion/css';
import { TARGET } from './theme';

/** Room for fingers and for texts where antd has no token for it: a class for each component. */
export const ROOMY = {
  // Where its text would get too narrow beside its buttons, they go below it.
  alert: { className: css({ flexWrap: 'wrap', '& .ant-alert-content': { flexBasis: 200 } }) },
  // Without a text it stands in the middle.
  checkbox: {
    className: css({ minWidth: TARGET, minHeight: TARGET, '& > .ant-checkbox:only-child': { marginInline: 'auto' } }),
  },
  radio: { className: css({ minHeight: TARGET }) },
  // The padding of an inline element moves no other one.
  typography: {
    className: css({
      '&:is(a)': { paddingBlock: 4 },
      '& .ant-typography-copy': { minWidth: TARGET, paddingBlock: 2 },
    }),
  },
};
