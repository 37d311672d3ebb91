import { Checkbox, Flex, Select, type TableColumnType } from 'antd';
import { memo, type ReactNode } from 'react';
import type { AppRow } from '../../shared/types';
import { RowCard } from '../common/RowCard';
import { key } from '../common/text';
import { useT } from '../host';
import { SelectPage } from './SelectPage';

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
const LINES = ['title', 'status', 'operation'];

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
        <SelectPage>
          <Checkbox
            checked={here.length === rows.length}
            indeterminate={here.length > 0 && here.length < rows.length}
            onChange={({ target }) => onSelect(target.checked ? [...others, ...rows] : others)}
          >
            {t('Select this page')}
          </Checkbox>
        </SelectPage>
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
  return (
    <RowCard
      row={app}
      columns={columns}
      lines={LINES}
      corner={
        <Checkbox
          checked={isSelected}
          onChange={() => toggle(app)}
          aria-label={t('Select {{app}}', { app: app.title })}
        />
      }
      data-testid={`app-row-${app.name}`}
    />
  );
}
