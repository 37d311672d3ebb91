import { Button, Card, Flex } from 'antd';
import { useNavigate } from 'react-router-dom';
import type { FleetSummary } from '../../shared/summary';
import { useIsLocal } from '../common/Page';
import { PATHS } from '../common/paths';
import { StateIcon } from '../common/Tag';
import { useT } from '../host';
import { firstSteps } from './steps';

/** What a new fleet still lacks; gone once it has all. */
export function FirstSteps({ summary }: { summary: FleetSummary }) {
  const t = useT();
  const navigate = useNavigate();
  const steps = firstSteps(summary, useIsLocal());
  const next = steps.find(({ isDone }) => !isDone);
  if (!next) return null;
  return (
    <Card size="small" title={t('First steps')} data-testid="first-steps">
      <Flex vertical gap="small" role="list">
        {steps.map((step) => (
          <Flex key={step.key} gap="small" align="center" role="listitem" data-done={step.isDone}>
            <StateIcon tone={step.isDone ? 'good' : 'waiting'} />
            <span>{t(step.label)}</span>
            {step === next && (
              <Button
                size="small"
                type="primary"
                onClick={() => navigate(PATHS[step.page] + step.search)}
                data-testid={`step-${step.key}`}
              >
                {t(step.button)}
              </Button>
            )}
          </Flex>
        ))}
      </Flex>
    </Card>
  );
}
