import { Flex, Grid, Skeleton, Table, type TableColumnType } from 'antd';
import type { ReactNode } from 'react';
import { RowCard } from './RowCard';
import { RowStops } from './RowStops';

interface Props<Row> {
  /** Absent until the first answer. */
  rows?: Row[];
  nameOf: (row: Row) => string;
  columns: TableColumnType<Row>[];
  /** In px. A narrower table scrolls horizontally. */
  width?: number | 'max-content';
  /** As of `RowCard`. */
  lines: string[];
  mark?: (row: Row) => Record<`data-${string}`, string>;
  /** What is too long for a column; null where there is nothing. */
  below?: (row: Row) => ReactNode;
  loading?: boolean;
  /** Shown instead of rows if there are none. */
  empty?: ReactNode;
}

/** A table; without room for its columns a card for each row. */
export function Rows<Row extends object>({ rows, nameOf, columns, width, lines, mark, below, ...rest }: Props<Row>) {
  const { loading = false, empty } = rest;
  // Beside NocoBase's menu and below its next step, a table would hide columns behind the one that is fixed.
  const { xl: isWide = true } = Grid.useBreakpoint();
  // Without an answer there is nothing to say, also not that there is none.
  if (!rows) return <Skeleton active />;
  if (!isWide) {
    if (!rows.length) return <>{empty}</>;
    return (
      <RowStops>
        <Flex vertical gap="small">
          {rows.map((row) => (
            <RowCard key={nameOf(row)} row={row} columns={columns} lines={lines} isList {...mark?.(row)}>
              {below?.(row)}
            </RowCard>
          ))}
        </Flex>
      </RowStops>
    );
  }
  return (
    <RowStops>
      <Table<Row>
        rowKey={nameOf}
        size="middle"
        // It would lie over the filters above, and says what the arrows show.
        showSorterTooltip={false}
        columns={columns}
        dataSource={rows}
        loading={loading}
        pagination={{ hideOnSinglePage: true, defaultPageSize: 20 }}
        scroll={{ x: width }}
        expandable={
          below && {
            expandedRowKeys: rows.filter((row) => below(row) !== null).map(nameOf),
            expandedRowRender: below,
            showExpandColumn: false,
          }
        }
        onRow={(row) => ({ 'data-row': '', ...mark?.(row) }) as object}
        locale={{ emptyText: empty }}
      />
    </RowStops>
  );
}
