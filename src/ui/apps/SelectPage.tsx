import { ConfigProvider } from 'antd';
import { createContext, type ReactNode, useContext } from 'react';

/** Whether the rows that are shown are those that were asked for last. */
export const SelectableNow = createContext(true);

/** The checkbox for all rows: not while others load, which would be selected unseen. It renders without the table around it. */
export function SelectPage({ children }: { children: ReactNode }) {
  return <ConfigProvider componentDisabled={!useContext(SelectableNow)}>{children}</ConfigProvider>;
}
