import { Alert, Form, Input, Radio, Space, Typography } from 'antd';
import { useState } from 'react';
import type { AppRow } from '../../shared/types';
import { useApi } from '../common/api';
import { Dialog } from '../common/Dialog';
import { problemText } from '../common/errors';
import { useBulk } from '../common/useBulk';
import { useHost } from '../host';
import { databasePlace } from './database';
import { begun } from './labels';

interface Props {
  apps: AppRow[];
  onClose: () => void;
  onDone: () => void;
}

/** Asks before deletion whether to keep or drop the data. Dropping requires the app's identifier as confirmation. */
export function DeleteDialog({ apps, onClose, onDone }: Props) {
  const { t } = useHost();
  const api = useApi();
  const [database, setDatabase] = useState<'keep' | 'drop'>('keep');
  const [typed, setTyped] = useState('');
  const { busy, error, run } = useBulk(onDone);
  const [app] = apps;
  const isOne = apps.length === 1;

  const destroy = () =>
    run(
      () =>
        api.destroyApps(
          apps.map(({ name }) => name),
          database,
        ),
      () => begun(t, 'destroy', apps),
    );

  return (
    <Dialog
      title={isOne ? t('Delete "{{app}}"?', { app: app.title }) : t('Delete {{count}} apps?', { count: apps.length })}
      okText={t('Delete')}
      cancelText={t('Cancel')}
      okButtonProps={{ danger: true, disabled: database === 'drop' && typed !== app.name, id: 'confirm-delete' }}
      confirmLoading={busy}
      onOk={destroy}
      onCancel={onClose}
    >
      <Space direction="vertical" size="middle" style={{ width: '100%' }}>
        {error && <Alert type="error" showIcon message={problemText(t, error.problems[0])} />}
        {isOne ? (
          <OneApp app={app} database={database} onChoose={setDatabase} />
        ) : (
          <>
            <Typography.Text style={{ display: 'block', maxHeight: 240, overflow: 'auto' }}>
              {apps.map(({ title }) => title).join(t(', '))}
            </Typography.Text>
            <Typography.Text>
              {t(
                'Visitors can no longer open them. Their databases are kept. They can be restored for 30 days, in Apps > ⋮ > Recently deleted.',
              )}
            </Typography.Text>
          </>
        )}
        {database === 'drop' && <TypedName name={app.name} typed={typed} onType={setTyped} />}
      </Space>
    </Dialog>
  );
}

function TypedName({ name, typed, onType }: { name: string; typed: string; onType: (text: string) => void }) {
  const { t } = useHost();
  return (
    <Form layout="vertical">
      <Form.Item
        htmlFor="confirm-name"
        label={t('Type {{name}} to confirm that its data is deleted permanently', { name })}
        style={{ margin: 0 }}
      >
        <Input
          id="confirm-name"
          autoFocus
          autoComplete="off"
          value={typed}
          onChange={(event) => onType(event.target.value)}
        />
      </Form.Item>
    </Form>
  );
}

function OneApp({
  app,
  database,
  onChoose,
}: {
  app: AppRow;
  database: 'keep' | 'drop';
  onChoose: (database: 'keep' | 'drop') => void;
}) {
  const { t } = useHost();
  return (
    <Space direction="vertical" size="middle">
      <Typography.Text>
        {t('Visitors can no longer open it. It is removed from: {{environments}}.', {
          environments: app.environments.join(t(', ')),
        })}
      </Typography.Text>
      {database === 'keep' && (
        <Typography.Text>{t('It can be restored for 30 days, in Apps > ⋮ > Recently deleted.')}</Typography.Text>
      )}
      <Radio.Group value={database} onChange={(event) => onChoose(event.target.value)} aria-label={t('Data')}>
        <Space direction="vertical">
          <Radio value="keep">{t('Keep the data: {{place}}', { place: databasePlace(t, app) })}</Radio>
          <Radio value="drop">{t('Also delete the data that this app created')}</Radio>
        </Space>
      </Radio.Group>
    </Space>
  );
}
