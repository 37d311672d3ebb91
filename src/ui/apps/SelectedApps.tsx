import { Button, Checkbox, Flex } from 'antd';
import { useState } from 'react';
import type { AppRow } from '../../shared/types';
import { Dialog } from '../common/Dialog';
import { Secondary } from '../common/Secondary';
import { useT } from '../host';

interface Props {
  selected: AppRow[];
  select: (apps: AppRow[]) => void;
  onClose: () => void;
}

/** All selected apps by name, wherever the list is. Those that are unchecked are selected no more. */
export function SelectedApps({ selected, select, onClose }: Props) {
  const t = useT();
  const [shown] = useState(selected);
  const [kept, keep] = useState(() => new Set(selected.map(({ name }) => name)));
  const toggle = (name: string) => {
    const next = new Set(kept);
    if (!next.delete(name)) next.add(name);
    keep(next);
  };
  return (
    <Dialog
      title={t('Selected apps')}
      onCancel={onClose}
      footer={
        <Flex gap="small" justify="end" wrap>
          <Button onClick={onClose}>{t('Cancel')}</Button>
          <Button
            type="primary"
            id="confirm-selected"
            onClick={() => {
              select(shown.filter(({ name }) => kept.has(name)));
              onClose();
            }}
          >
            {t('Keep {{count}} selected', { count: kept.size })}
          </Button>
        </Flex>
      }
    >
      <Flex vertical gap={4} style={{ maxHeight: 400, overflowY: 'auto' }} data-testid="selected-apps">
        {shown.map(({ name, title }) => (
          <Checkbox key={name} checked={kept.has(name)} onChange={() => toggle(name)}>
            {title} <Secondary>{name}</Secondary>
          </Checkbox>
        ))}
      </Flex>
    </Dialog>
  );
}
