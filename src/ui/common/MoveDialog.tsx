import { Alert, Flex, Spin } from 'antd';
import { useHost } from '../host';
import { type MoveSubject, useApi } from './api';
import { Dialog } from './Dialog';
import { problemText } from './errors';
import { MoveList } from './MoveList';
import { MoveTarget } from './MoveTarget';
import { useBulk } from './useBulk';
import { useMovePlan } from './useMovePlan';

interface Props {
  subject: MoveSubject;
  /** How many apps it is about, as far as that is known, for the title. */
  title: string;
  /** Of the button for one app; default: Move. */
  okText?: string;
  /** Chosen first; default: the best place for each app. */
  to?: string;
  onClose: () => void;
  onDone: () => void;
}

/** Shows what a move would do, and begins it. */
export function MoveDialog({ subject, title, okText, to: first, onClose, onDone }: Props) {
  const { t } = useHost();
  const api = useApi();
  const choice = useMovePlan(subject, first);
  const { busy, error, run } = useBulk(onDone);
  const { plan, to, loading } = choice;
  const movable = plan?.apps.filter(({ refused }) => refused === null).length ?? 0;
  const failed = error ?? choice.error;

  const move = () =>
    run(
      () => api.move(subject, to),
      ({ operations }) =>
        operations.length ? t('{{count}} apps are being moved', { count: operations.length }) : null,
      plan?.apps,
    );

  return (
    <Dialog
      width={640}
      title={title}
      okText={movable > 1 ? t('Move {{count}} apps', { count: movable }) : (okText ?? t('Move'))}
      okButtonProps={{ disabled: !movable || loading, id: 'confirm-move' }}
      cancelText={t('Cancel')}
      confirmLoading={busy}
      onOk={move}
      onCancel={onClose}
    >
      <Flex vertical gap="middle" data-testid="move-dialog">
        {failed && <Alert type="error" showIcon message={problemText(t, failed.problems[0])} />}
        <MoveTarget {...choice} />
        <Spin spinning={loading}>{plan ? <MoveList apps={plan.apps} /> : <div style={{ minHeight: 64 }} />}</Spin>
      </Flex>
    </Dialog>
  );
}
