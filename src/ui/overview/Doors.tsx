import { Card, Flex, theme } from 'antd';
import type { DoorSummary } from '../../shared/summary';
import { rounded } from '../common/Plot';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { StateTag } from '../common/Tag';
import { duration } from '../common/time';
import { useHost } from '../host';

/** A table that was known to be the newest so shortly before is current, in ms. */
const CURRENT = 15_000;

/** What carries visits past the Supervisor: each door with what it does. */
export function Doors({ doors }: { doors: DoorSummary[] }) {
  const { t } = useHost();
  const { token } = theme.useToken();
  if (!doors.length) return null;
  return (
    <Card size="small" title={t('Doors')} data-testid="doors">
      <ul style={{ listStyle: 'none', margin: 0, padding: 0 }}>
        {doors.map((door) => (
          <li key={door.id} data-testid={`door-${door.id}`} style={{ padding: `${token.paddingXXS}px 0` }}>
            <Flex gap="4px 24px" wrap align="center">
              <Name door={door} />
              <Values door={door} />
            </Flex>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Name({ door: { id, isSilent, haproxy, version, seenAt } }: { door: DoorSummary }) {
  const { t } = useHost();
  const isWell = !isSilent && haproxy !== null;
  return (
    <Flex gap="2px 8px" wrap align="center" style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
      <strong>{id}</strong>
      {isWell && <StateTag tone="good">{t('Online')}</StateTag>}
      {isSilent && <StateTag tone="bad">{t('Silent')}</StateTag>}
      {isSilent && (
        <Secondary>
          <Since at={seenAt} />
        </Secondary>
      )}
      {!isSilent && haproxy === null && <StateTag tone="bad">{t('HAProxy does not run')}</StateTag>}
      <Secondary>{haproxy === null ? version : `${version}, HAProxy ${haproxy}`}</Secondary>
    </Flex>
  );
}

function Values({ door: { requests, errors, sockets, tableAge } }: { door: DoorSummary }) {
  const { t } = useHost();
  const rate = (value: number | null) => (value === null ? '–' : `${rounded(value)}/s`);
  const age = tableAge !== null && tableAge > CURRENT ? duration(tableAge) : t('current');
  const values: Array<[label: string, value: string]> = [
    [t('Requests'), rate(requests)],
    [t('Errors'), rate(errors)],
    [t('WebSockets'), String(sockets)],
    [t('Routes'), tableAge === null ? t('none yet') : age],
  ];
  return values.map(([label, value]) => (
    <span key={label}>
      <Secondary>{label}</Secondary> {value}
    </span>
  ));
}
