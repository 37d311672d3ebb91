import { Table, type TableColumnType } from 'antd';
import { memo, type ReactNode, useMemo } from 'react';
import type { AppRow } from '../../shared/types';
import { useT } from '../host';
import { SelectPage } from './SelectPage';

interface Props {
  /** Absent until the first answer. */
  rows?: AppRow[];
  columns: TableColumnType<AppRow>[];
  /** In px. A narrower table scrolls horizontally. */
  width: number;
  selected: AppRow[];
  onSelect: (apps: AppRow[]) => void;
  /** A column's key, with `-` before it for descending. */
  order?: string;
  /** @param order a column's key, with `-` before it for descending; undefined for the server's own order */
  sort: (order?: string) => void;
  /** Shown instead of rows if the answer has none. */
  empty: ReactNode;
}

/** Memoized: renders when its rows change, not when the page around it changes, for example while other rows load. */
export const AppsTable = memo(function AppsTable({ rows, columns, order, width, selected, ...rest }: Props) {
  const { onSelect, sort, empty } = rest;
  const t = useT();
  const sorted = useMemo(() => columns.map((column) => withOrder(column, order)), [columns, order]);
  return (
    <Table<AppRow>
      rowKey="name"
      size="middle"
      columns={sorted}
      dataSource={rows}
      pagination={false}
      sticky
      // It would lie over the filters above, and says what the arrows show.
      showSorterTooltip={false}
      scroll={{ x: width }}
      onRow={(app) => ({ 'data-row': '', 'data-testid': `app-row-${app.name}` }) as object}
      rowSelection={{
        selectedRowKeys: selected.map(({ name }) => name),
        preserveSelectedRowKeys: true,
        columnTitle: (checkbox) => <SelectPage>{checkbox}</SelectPage>,
        onChange: (_, apps) => onSelect(apps),
        getCheckboxProps: (app) => ({ 'aria-label': t('Select {{app}}', { app: app.title }) }) as object,
      }}
      onChange={(_, __, sorter) => {
        const { order, columnKey } = [sorter].flat()[0];
        sort(order ? `${order === 'descend' ? '-' : ''}${columnKey}` : undefined);
      }}
      locale={{ emptyText: empty || ' ' }}
    />
  );
});

/** The header says how the list is sorted, also if the address says so. */
const withOrder = (column: TableColumnType<AppRow>, order?: string): TableColumnType<AppRow> =>
  column.sorter
    ? {
        ...column,
        sortOrder: order === column.key ? 'ascend' : order === `-${String(column.key)}` ? 'descend' : null,
      }
    : column;
