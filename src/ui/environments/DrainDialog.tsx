import { Alert, Checkbox, Flex, Radio, Spin } from 'antd';
import { useState } from 'react';
import type { DrainMode } from '../../shared/types';
import { useApi } from '../common/api';
import { Dialog } from '../common/Dialog';
import { problemText } from '../common/errors';
import { MoveList } from '../common/MoveList';
import { MoveTarget } from '../common/MoveTarget';
import { useBulk } from '../common/useBulk';
import { useMovePlan } from '../common/useMovePlan';
import { useHost } from '../host';
import { drainOf } from './drain';

interface Props {
  environment: string;
  onClose: () => void;
  onDone: () => void;
}

/** Shows what a drain would do, and begins it. */
export function DrainDialog({ environment, onClose, onDone }: Props) {
  const { t } = useHost();
  const api = useApi();
  const choice = useMovePlan({ environment });
  const { busy, error, run } = useBulk(onDone);
  const [mode, setMode] = useState<DrainMode>('move');
  const { plan, to, loading } = choice;
  const { left, cutOff, onlyStops, agree } = drainOf(mode, plan?.apps ?? []);
  const failed = error ?? choice.error;
  const drain = () =>
    run(
      () => api.drain(environment, mode, to),
      ({ operations }) =>
        t('Environment "{{environment}}" is being drained: {{count}} operations', {
          environment,
          count: operations.length,
        }),
      plan?.apps,
    );
  return (
    <Dialog
      width={640}
      title={t('Drain environment "{{environment}}"?', { environment })}
      okText={t(agree.text, agree.values)}
      okButtonProps={{ danger: onlyStops, disabled: loading || !plan, id: 'confirm-ok' }}
      cancelText={t('Cancel')}
      confirmLoading={busy}
      onOk={drain}
      onCancel={onClose}
    >
      <Flex vertical gap="middle" data-testid="drain-dialog">
        {failed && <Alert type="error" showIcon message={problemText(t, failed.problems[0])} />}
        <span>{t('It accepts no new apps until it is uncordoned.')}</span>
        <Radio.Group
          value={mode === 'stop' ? 'stop' : 'move'}
          onChange={(event) => setMode(event.target.value)}
          aria-label={t('Its apps')}
          options={[
            { value: 'move', label: t('Move its apps') },
            { value: 'stop', label: t('Only stop them there') },
          ]}
        />
        {mode === 'stop' ? (
          <Alert
            type={cutOff ? 'error' : 'success'}
            showIcon
            message={
              cutOff
                ? t('Visitors cannot open {{count}} apps there until they are started again.', { count: cutOff })
                : t('Other environments go on to serve its apps.')
            }
          />
        ) : (
          <>
            <MoveTarget {...choice} />
            <Spin spinning={loading}>{plan ? <MoveList apps={plan.apps} /> : <div style={{ minHeight: 64 }} />}</Spin>
            {left > 0 && (
              <Checkbox
                checked={mode === 'moveOrStop'}
                onChange={(event) => setMode(event.target.checked ? 'moveOrStop' : 'move')}
                data-testid="drain-stops"
              >
                {t('Stop what cannot be moved ({{count}})', { count: left })}
              </Checkbox>
            )}
          </>
        )}
      </Flex>
    </Dialog>
  );
}
