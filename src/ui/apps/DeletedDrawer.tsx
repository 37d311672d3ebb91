import { Alert, Button, Drawer, Empty, Flex, Select, Skeleton } from 'antd';
import { useState } from 'react';
import type { DeletedAppRow } from '../../shared/deleted';
import type { EnvironmentRow } from '../../shared/types';
import { useApi } from '../common/api';
import { type ApiError, problemText } from '../common/errors';
import { LabelTags } from '../common/LabelTags';
import { Failure, useIsLocal } from '../common/Page';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { daysUntil } from '../common/time';
import { useAddress } from '../common/useAddress';
import { useLive } from '../common/useLive';
import { useHost, useT } from '../host';

interface Props {
  environments: EnvironmentRow[] | null;
  /** Called once a restore was accepted. */
  onChange: () => void;
}

/** What of the address opens the drawer. */
export const DELETED = { deleted: '1' };

/** The deleted apps whose data were kept: `?deleted=`. */
export function DeletedDrawer({ environments, onChange }: Props) {
  const t = useT();
  const { params, open } = useAddress();
  const close = () => open((now) => new URLSearchParams([...now].filter(([key]) => key !== 'deleted')));
  return (
    <Drawer
      open={params.has('deleted')}
      title={t('Recently deleted')}
      aria-label={t('Recently deleted')}
      width={560}
      onClose={close}
      destroyOnClose
    >
      <List environments={environments} onChange={onChange} />
    </Drawer>
  );
}

function List({ environments, onChange }: Props) {
  const t = useT();
  const api = useApi();
  const { data, error, refresh } = useLive(api.listDeleted, 'deleted', (apps) => apps.some(({ until }) => !until));
  if (!data) return error ? <Failure error={error} retry={refresh} /> : <Skeleton active />;
  if (!data.length)
    return <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No deleted app whose data were kept')} />;
  return (
    <Flex vertical gap="large" role="list">
      <Secondary>
        {t(
          'Apps that were deleted without their data. Each can be restored for 30 days, with its settings and its users.',
        )}
      </Secondary>
      {data.map((app) => (
        <OneDeleted
          key={app.uid}
          app={app}
          environments={environments}
          onRestored={() => {
            onChange();
            void refresh();
          }}
        />
      ))}
    </Flex>
  );
}

interface OneProps {
  app: DeletedAppRow;
  environments: EnvironmentRow[] | null;
  onRestored: () => void;
}

function OneDeleted({ app, environments, onRestored }: OneProps) {
  const { t, success } = useHost();
  const api = useApi();
  const isLocal = useIsLocal();
  const [places, place] = useState(app.environments);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const restore = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const { cname } = await api.restoreApp(app.uid, isLocal ? undefined : places);
      success(
        app.cname && !cname
          ? t('"{{app}}" is being restored, without {{domain}}: that domain is taken.', {
              app: app.title,
              domain: app.cname,
            })
          : t('"{{app}}" is being restored', { app: app.title }),
      );
      onRestored();
    } catch (thrown) {
      setError(thrown as ApiError);
      setBusy(false);
    }
  };
  return (
    <Flex vertical gap="small" role="listitem" data-testid={`deleted-${app.name}`}>
      <Flex gap="small" align="baseline" wrap>
        <strong>{app.title}</strong>
        <Secondary>{app.name}</Secondary>
        <LabelTags labels={app.labels} most={3} />
      </Flex>
      <Secondary>
        {t('Deleted')} <Since at={app.deletedAt} />
        {app.until !== null && <> · {t('{{count}} days left', { count: daysUntil(app.until, Date.now()) })}</>}
      </Secondary>
      {error && <Alert type="error" showIcon message={problemText(t, error.problems[0])} />}
      {app.until === null ? (
        <span>{t('It can be restored as soon as its environments have confirmed the deletion.')}</span>
      ) : (
        <Flex gap="small" wrap>
          {!isLocal && environments && (
            <Select
              mode="multiple"
              value={places}
              onChange={place}
              aria-label={t('Environments of {{app}}', { app: app.title })}
              placeholder={t('Environments')}
              style={{ flex: '1 1 200px', minWidth: 160 }}
              options={environments.map(({ name, available }) => ({ value: name, disabled: !available }))}
            />
          )}
          <Button
            type="primary"
            loading={busy}
            disabled={!isLocal && !places.length}
            onClick={restore}
            // A space between two Chinese characters is not in the button's name.
            autoInsertSpace={false}
            aria-label={`${t('Restore')} ${app.title}`}
            data-testid={`restore-${app.name}`}
          >
            {t('Restore')}
          </Button>
        </Flex>
      )}
    </Flex>
  );
}
