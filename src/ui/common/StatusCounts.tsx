import { Flex } from 'antd';
import type { Status } from '../../shared/types';
import { WORST_FIRST } from '../../shared/words';
import { useT } from '../host';
import { PATHS } from './paths';
import { shownOf } from './status';
import { StateIcon } from './Tag';
import { TextLink } from './TextLink';

/** How many apps of an environment have each status, the worst first; each number leads to the list of these apps. */
export function StatusCounts({
  environment,
  counts,
}: {
  environment: string;
  counts: Partial<Record<Status, number>>;
}) {
  const t = useT();
  const found = WORST_FIRST.flatMap((status) => {
    const count = counts[status as Status];
    return count ? [{ status, count, ...shownOf(status) }] : [];
  });
  if (!found.length) return <>–</>;
  return (
    <Flex gap="2px 10px" wrap>
      {found.map(({ status, count, label, tone }) => (
        <TextLink
          key={status}
          to={`${PATHS.apps}?${new URLSearchParams({ environment, status })}`}
          title={t(label)}
          aria-label={t('{{status}}: {{count}} apps in {{environment}}', { status: t(label), count, environment })}
          data-testid={`count-${status}-${environment}`}
        >
          <StateIcon tone={tone} /> {count}
        </TextLink>
      ))}
    </Flex>
  );
}
