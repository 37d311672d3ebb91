import { Button, Card, Flex, theme } from 'antd';
import { useNavigate } from 'react-router-dom';
import type { Attention, Problem, Remedy } from '../../shared/summary';
import { useApi } from '../common/api';
import { useConfirm } from '../common/Confirm';
import { type ApiError, messageText, problemText } from '../common/errors';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { StateIcon } from '../common/Tag';
import { useHost } from '../host';
import { isRed, type Moving, movingOf, remedyLabel, remedyPath } from './remedies';

interface Props {
  problems: Problem[];
  /** What visitors do not notice. */
  attention: Attention[];
  move: (moving: Moving) => void;
  refresh: () => unknown;
}

/** What is wrong, each with what can be done about it. */
export function Problems({ problems, attention, move, refresh }: Props) {
  const { t } = useHost();
  const { token } = theme.useToken();
  const run = useRemedy(move, refresh);
  return (
    <Card size="small" data-testid="problems" role="region" aria-label={t('Problems')}>
      {problems.length ? (
        <Flex vertical gap={token.paddingSM} aria-live="polite">
          {problems.map((problem) => (
            <Flex key={messageText(t, problem.message)} gap="small" align="baseline" data-level={problem.level} wrap>
              <Flex gap="small" align="baseline" style={{ flex: '1 1 320px', minWidth: 0 }}>
                <StateIcon tone={problem.level === 'red' ? 'bad' : 'warning'} />
                <span style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
                  {messageText(t, problem.message)}{' '}
                  {problem.since !== null && (
                    <Secondary>
                      <Since at={problem.since} />
                    </Secondary>
                  )}
                </span>
              </Flex>
              <Flex gap="small" wrap>
                {problem.remedies.map((remedy) => {
                  const { text, values } = remedyLabel(remedy);
                  return (
                    <Button
                      key={remedy.kind}
                      size="small"
                      type={remedy.kind === 'move' || remedy.kind === 'assign' ? 'primary' : 'default'}
                      onClick={() => run(remedy)}
                      data-testid={`remedy-${remedy.kind}`}
                    >
                      {t(text, values)}
                    </Button>
                  );
                })}
              </Flex>
            </Flex>
          ))}
        </Flex>
      ) : (
        <Flex gap="small">
          <StateIcon tone={attention.some(isRed) ? 'warning' : 'good'} />
          {attention.some(isRed)
            ? t('Visitors notice nothing. What needs attention is below.')
            : t('Nothing is wrong.')}
        </Flex>
      )}
    </Card>
  );
}

function useRemedy(move: Props['move'], refresh: Props['refresh']) {
  const host = useHost();
  const api = useApi();
  const confirm = useConfirm();
  const navigate = useNavigate();
  const { t } = host;
  return async (remedy: Remedy) => {
    const path = remedyPath(remedy);
    if (path !== null) return navigate(path);
    const moving = movingOf(t, remedy);
    if (moving) return move(moving);
    const apps = remedy.apps ?? [];
    const agreed = await confirm({
      title: t('Restart "{{app}}"?', { app: apps.join(t(', ')) }),
      content: t('Visitors wait until the restart is over. Several environments restart one after the other.'),
      okText: t('Restart'),
    });
    if (!agreed) return;
    await api.operate('restart', apps).catch((thrown: ApiError) => host.failure(problemText(t, thrown.problems[0])));
    refresh();
  };
}
