import { theme } from 'antd';
import { Link } from 'react-router-dom';
import { addressOf } from '../activity/query';
import { PATHS } from '../common/paths';
import { clockTime, dayOf } from '../common/time';
import { type Translate, useHost } from '../host';
import type { HeatCell, HeatState } from './heat';

/** Not by color alone: the share of the height, and a sign. */
const LOOKS: Record<HeatState, { height: string; sign: string }> = {
  quiet: { height: '35%', sign: '' },
  failure: { height: '100%', sign: '!' },
  outage: { height: '100%', sign: '×' },
  unread: { height: '35%', sign: '?' },
};

/** What happened in an environment in each part of a time; a part in which something did leads to it. */
export function HeatStrip({ environment, cells }: { environment: string; cells: HeatCell[] }) {
  const { t, language } = useHost();
  const { token } = theme.useToken();
  const background: Record<HeatState, string> = {
    quiet: token.colorSuccessBorder,
    failure: token.colorWarning,
    outage: token.colorError,
    unread: token.colorFillSecondary,
  };
  return (
    <div style={{ display: 'flex', gap: 1, height: 20, alignItems: 'end' }} data-testid={`heat-${environment}`}>
      {cells.map((cell) => {
        const { height, sign } = LOOKS[cell.state];
        const look = {
          flex: 1,
          minWidth: 0,
          height,
          borderRadius: 2,
          background: background[cell.state],
          color: token.colorTextLightSolid,
          fontSize: 11,
          lineHeight: '20px',
          textAlign: 'center' as const,
          overflow: 'hidden',
        };
        const text = textOf(t, cell, language);
        if (cell.state === 'quiet' || cell.state === 'unread')
          return <span key={cell.from} title={text} style={look} />;
        return (
          <Link
            key={cell.from}
            to={pathOf(environment, cell)}
            title={text}
            aria-label={`${environment}, ${text}`}
            data-state={cell.state}
            style={look}
          >
            {sign}
          </Link>
        );
      })}
    </div>
  );
}

const DAY = 24 * 3_600_000;

function textOf(t: Translate, { from, to, state, outages, failures }: HeatCell, language: string): string {
  const day = Date.now() - from > DAY ? `${dayOf(from, language)} ` : '';
  const what = [
    outages && t('Outages: {{count}}', { count: outages }),
    failures && t('Crashes and failures: {{count}}', { count: failures }),
  ].filter(Boolean);
  const nothing = state === 'unread' ? t('not shown') : t('nothing');
  return `${day}${clockTime(from, language)}–${clockTime(to, language)}: ${what.join(t(', ')) || nothing}`;
}

/** Newest first up to its end: an outage may have begun before the part. */
function pathOf(environment: string, { to }: HeatCell): string {
  const query = addressOf({ environment, to, page: 1, pageSize: 20 });
  return `${PATHS.activity}?${new URLSearchParams(query)}`;
}
