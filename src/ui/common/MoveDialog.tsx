import { useRequest } from 'ahooks';
import { Alert, Flex, Form, Modal, Select, Spin } from 'antd';
import { useState } from 'react';
import type { MovePlan } from '../../shared/move';
import { type Translate, useHost } from '../host';
import { type MoveSubject, useApi } from './api';
import { type ApiError, messageText, problemText } from './errors';
import { MoveList } from './MoveList';

interface Props {
  subject: MoveSubject;
  /** How many apps it is about, as far as that is known, for the title. */
  title: string;
  onClose: () => void;
  onDone: () => void;
}

/** Shows what a move would do, and begins it. */
export function MoveDialog({ subject, title, onClose, onDone }: Props) {
  const { t, success, failure } = useHost();
  const api = useApi();
  const [to, setTo] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [thrown, setThrown] = useState<ApiError>();
  const { data: plan, error, loading } = useRequest(() => api.previewMove(subject, to), { refreshDeps: [to] });
  const movable = plan?.apps.filter(({ refused }) => refused === null).length ?? 0;
  const failed = thrown ?? (error as ApiError | undefined);

  const move = async () => {
    setBusy(true);
    try {
      const { operations, refused } = await api.move(subject, to);
      if (operations.length) success(t('{{count}} apps are being moved', { count: operations.length }));
      if (refused.length) failure(refused.map((each) => `${each.app}: ${messageText(t, each)}`).join('\n'));
      onDone();
    } catch (error) {
      setThrown(error as ApiError);
      setBusy(false);
    }
  };

  return (
    <Modal
      open
      width={640}
      title={title}
      okText={movable > 1 ? t('Move {{count}} apps', { count: movable }) : t('Move')}
      okButtonProps={{ disabled: !movable || loading, id: 'confirm-move' }}
      cancelText={t('Cancel')}
      confirmLoading={busy}
      onOk={move}
      onCancel={onClose}
    >
      <Flex vertical gap="middle" data-testid="move-dialog">
        {failed && <Alert type="error" showIcon message={problemText(t, failed.problems[0])} />}
        <Target plan={plan} to={to} onChoose={setTo} />
        <Spin spinning={loading}>{plan ? <MoveList apps={plan.apps} /> : <div style={{ minHeight: 64 }} />}</Spin>
      </Flex>
    </Modal>
  );
}

function Target({
  plan,
  to,
  onChoose,
}: {
  plan: MovePlan | undefined;
  to: string | undefined;
  onChoose: (to: string | undefined) => void;
}) {
  const { t } = useHost();
  return (
    <Form layout="vertical">
      <Form.Item label={t('To environment')} htmlFor="move-to" style={{ margin: 0 }}>
        <Select
          id="move-to"
          allowClear
          placeholder={t('The best place for each app')}
          value={to}
          onChange={onChoose}
          options={plan?.places.map((place) => ({
            value: place.name,
            label: placeLabel(t, place),
            disabled: place.refusal !== null,
          }))}
          data-testid="move-to"
        />
      </Form.Item>
    </Form>
  );
}

const placeLabel = (t: Translate, { name, apps, refusal }: MovePlan['places'][number]): string =>
  `${name} · ${refusal ? messageText(t, refusal) : t('{{count}} apps', { count: apps })}`;
