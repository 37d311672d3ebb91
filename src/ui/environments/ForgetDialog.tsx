import { Alert, Flex, Radio, Spin } from 'antd';
import { useState } from 'react';
import { useApi } from '../common/api';
import { Dialog } from '../common/Dialog';
import { problemText } from '../common/errors';
import { MoveList } from '../common/MoveList';
import { MoveTarget } from '../common/MoveTarget';
import { useBulk } from '../common/useBulk';
import { type MoveChoice, useMovePlan } from '../common/useMovePlan';
import { useHost, useT } from '../host';
import { strandedOf } from './drain';

interface Props {
  environment: string;
  onClose: () => void;
  onDone: () => void;
}

/** Names the apps that a forgotten environment would strand, and offers them a new place. */
export function ForgetDialog({ environment, onClose, onDone }: Props) {
  const { t } = useHost();
  const api = useApi();
  const choice = useMovePlan({ environment });
  const { busy, error, run } = useBulk(onDone);
  const [moves, setMoves] = useState(true);
  const { plan, to, loading } = choice;
  const stranded = strandedOf(plan?.apps ?? []);
  const failed = error ?? choice.error;
  const forget = () =>
    run(
      () => api.forget(environment, moves && stranded.length > 0, to),
      ({ operations }) =>
        operations.length ? t('{{count}} apps are being moved', { count: operations.length }) : null,
      plan?.apps,
    );
  return (
    <Dialog
      width={640}
      title={t('Forget environment "{{environment}}"?', { environment })}
      okText={t('Forget')}
      okButtonProps={{ danger: true, disabled: loading || !plan, id: 'confirm-ok' }}
      cancelText={t('Cancel')}
      confirmLoading={busy}
      onOk={forget}
      onCancel={onClose}
    >
      <Flex vertical gap="middle" data-testid="forget-dialog">
        {failed && <Alert type="error" showIcon message={problemText(t, failed.problems[0])} />}
        <span>
          {t('It is removed from the list and from its apps. If its worker starts again, it registers again.')}
        </span>
        <Spin spinning={loading}>
          {plan ? (
            stranded.length > 0 && <Stranded choice={choice} moves={moves} setMoves={setMoves} />
          ) : (
            <div style={{ minHeight: 64 }} />
          )}
        </Spin>
      </Flex>
    </Dialog>
  );
}

function Stranded({
  choice,
  moves,
  setMoves,
}: {
  choice: MoveChoice;
  moves: boolean;
  setMoves: (moves: boolean) => void;
}) {
  const t = useT();
  const apps = strandedOf(choice.plan?.apps ?? []);
  const left = moves ? apps.filter(({ refused }) => refused !== null) : apps;
  return (
    <Flex vertical gap="middle">
      <Radio.Group
        value={moves}
        onChange={(event) => setMoves(event.target.value)}
        aria-label={t('Apps without another environment')}
      >
        <Flex vertical gap={4}>
          <Radio value={true}>{t('Move {{count}} apps that have no other environment', { count: apps.length })}</Radio>
          <Radio value={false}>{t('Leave without an environment')}</Radio>
        </Flex>
      </Radio.Group>
      {moves && <MoveTarget {...choice} />}
      {moves && <MoveList apps={apps} />}
      {left.length > 0 && (
        <Alert
          type="error"
          showIcon
          message={t('{{count}} apps will have no environment, and visitors cannot open them.', { count: left.length })}
        />
      )}
    </Flex>
  );
}
