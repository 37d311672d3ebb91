import { Card, Flex, type TableColumnType } from 'antd';
import { type CSSProperties, Fragment, type ReactNode } from 'react';
import { Secondary } from './Secondary';

interface Props<Row> extends Partial<Record<`data-${string}`, string>> {
  row: Row;
  columns: TableColumnType<Row>[];
  /** Keys of the columns that have a line of their own, the name first. Between them and `actions` the others stand, each with its title. */
  lines: string[];
  /** Stands at the end of the first line. */
  corner?: ReactNode;
  /** Whether each of the other columns has a line of its own. */
  isList?: boolean;
  /** What a table shows below the row. */
  children?: ReactNode;
}

const LIST: CSSProperties = { display: 'grid', gridTemplateColumns: 'fit-content(50%) 1fr', gap: '4px 12px' };
const LINE: CSSProperties = { display: 'flex', flexWrap: 'wrap', gap: '4px 16px' };
const PAIR: CSSProperties = { display: 'flex', flexWrap: 'wrap', gap: '0 4px', minWidth: 0 };

/** A row of a table where there is no room for columns. */
export function RowCard<Row>({ row, columns, lines, corner, isList, children, ...rest }: Props<Row>) {
  const show = ({ render, dataIndex }: TableColumnType<Row>): ReactNode =>
    render ? (render(undefined, row, 0) as ReactNode) : (row[dataIndex as keyof Row] as ReactNode);
  const placed = (name: string) => {
    const column = columns.find((each) => each.key === name);
    return column ? show(column) : null;
  };
  const [first, ...others] = lines;
  const details = columns.filter(({ key }) => ![...lines, 'actions'].includes(String(key)));
  return (
    <Card size="small" data-row="" {...rest}>
      <Flex vertical gap="small">
        <Flex gap="small" align="start" justify="space-between">
          <div style={{ minWidth: 0 }}>{placed(first)}</div>
          {corner}
        </Flex>
        {others.map((name) => (
          <Fragment key={name}>{placed(name)}</Fragment>
        ))}
        {details.length > 0 && (
          <div style={isList ? LIST : LINE}>
            {details.map((column) => {
              const value = show(column);
              return value === null || value === undefined || value === '' ? null : (
                <div key={String(column.key)} style={isList ? { display: 'contents' } : PAIR}>
                  <Secondary>{column.title as string}</Secondary>
                  <div style={{ minWidth: 0, overflowWrap: 'anywhere' }}>{value}</div>
                </div>
              );
            })}
          </div>
        )}
        {placed('actions')}
        {children}
      </Flex>
    </Card>
  );
}
