import { Card, Checkbox, Flex, Select, type TableColumnType } from 'antd';
import { memo, type ReactNode } from 'react';
import type { AppRow } from '../../shared/types';
import { Secondary } from '../common/Secondary';
import { key } from '../common/text';
import { useT } from '../host';

interface Props {
  rows?: AppRow[];
  columns: TableColumnType<AppRow>[];
  selected: AppRow[];
  onSelect: (apps: AppRow[]) => void;
  /** A field, with `-` before it for descending; undefined for the server's own order. */
  order?: string;
  sort: (order?: string) => void;
  empty: ReactNode;
}

/** Of the orders that the header of the table offers, those that a list of cards needs. */
const ORDERS: Record<string, string> = {
  title: key('By name'),
  status: key('By status, the worst first'),
  labels: key('By label'),
  '-createdAt': key('Newest first'),
};
/** What has a place of its own; the others have their title before them. */
const PLACED = ['title', 'status', 'operation', 'actions'];

/** The table where there is no room for columns: a card for each app, its name first. */
export const AppCards = memo(function AppCards({ rows, columns, selected, onSelect, order, sort, empty }: Props) {
  const t = useT();
  if (!rows?.length) return <>{empty}</>;
  const isSelected = ({ name }: AppRow) => selected.some((each) => each.name === name);
  const others = selected.filter(({ name }) => !rows.some((row) => row.name === name));
  const here = rows.filter(isSelected);
  const toggle = (app: AppRow) =>
    onSelect(isSelected(app) ? selected.filter(({ name }) => name !== app.name) : [...selected, app]);
  return (
    <Flex vertical gap="small">
      <Flex gap="small" wrap align="center" justify="space-between">
        <Checkbox
          checked={here.length === rows.length}
          indeterminate={here.length > 0 && here.length < rows.length}
          onChange={({ target }) => onSelect(target.checked ? [...others, ...rows] : others)}
        >
          {t('Select this page')}
        </Checkbox>
        <Select
          allowClear
          size="small"
          placeholder={t('Order')}
          aria-label={t('Order')}
          style={{ minWidth: 130 }}
          // The table sorts in more ways, in an address that was opened there.
          value={order && order in ORDERS ? order : undefined}
          onChange={sort}
          options={Object.entries(ORDERS).map(([value, label]) => ({ value, label: t(label) }))}
        />
      </Flex>
      {rows.map((app) => (
        <OneCard key={app.name} app={app} columns={columns} isSelected={isSelected(app)} toggle={toggle} />
      ))}
    </Flex>
  );
});

interface CardProps {
  app: AppRow;
  columns: TableColumnType<AppRow>[];
  isSelected: boolean;
  toggle: (app: AppRow) => void;
}

function OneCard({ app, columns, isSelected, toggle }: CardProps) {
  const t = useT();
  const show = ({ render, dataIndex }: TableColumnType<AppRow>): ReactNode =>
    render ? (render(undefined, app, 0) as ReactNode) : (app[dataIndex as keyof AppRow] as ReactNode);
  const placed = (name: string) => {
    const column = columns.find((each) => each.key === name);
    return column ? show(column) : null;
  };
  const details = columns.filter((column) => !PLACED.includes(String(column.key)));
  return (
    <Card size="small" data-testid={`app-row-${app.name}`}>
      <Flex vertical gap="small">
        <Flex gap="small" align="start" justify="space-between">
          {placed('title')}
          <Checkbox
            checked={isSelected}
            onChange={() => toggle(app)}
            aria-label={t('Select {{app}}', { app: app.title })}
          />
        </Flex>
        {placed('status')}
        {placed('operation')}
        {details.length > 0 && (
          <Flex gap="0 16px" wrap>
            {details.map((column) => {
              const value = show(column);
              return value === null || value === undefined || value === '' ? null : (
                <span key={String(column.key)} style={{ overflowWrap: 'anywhere' }}>
                  <Secondary>{column.title as string}</Secondary> {value}
                </span>
              );
            })}
          </Flex>
        )}
        {placed('actions')}
      </Flex>
    </Card>
  );
}
