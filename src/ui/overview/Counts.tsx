import { Flex, theme } from 'antd';
import type { FleetSummary } from '../../shared/summary';
import { WORST_FIRST } from '../../shared/words';
import { PATHS } from '../common/paths';
import { shownOf } from '../common/status';
import { StateTag } from '../common/Tag';
import { TextLink } from '../common/TextLink';
import { useT } from '../host';

/** Each count leads to the apps that it counts. */
export function Counts({ summary: { counts, total } }: { summary: FleetSummary }) {
  const t = useT();
  const { token } = theme.useToken();
  const found = WORST_FIRST.filter((status) => counts[status]);
  return (
    <Flex gap={token.marginSM} wrap align="center">
      <TextLink to={PATHS.apps} data-testid="count-all">
        <strong>{t('{{count}} apps', { count: total })}</strong>
      </TextLink>
      {found.map((status) => {
        const { label, tone } = shownOf(status);
        return (
          <TextLink
            key={status}
            to={`${PATHS.apps}?${new URLSearchParams({ status })}`}
            data-testid={`count-${status}`}
          >
            <StateTag tone={tone}>
              {t(label)} · {counts[status]}
            </StateTag>
          </TextLink>
        );
      })}
    </Flex>
  );
}
