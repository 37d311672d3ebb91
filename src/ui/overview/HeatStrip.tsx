import { theme } from 'antd';
import { memo } from 'react';
import { Link } from 'react-router-dom';
import { addressOf } from '../activity/query';
import { PATHS } from '../common/paths';
import type { Span } from '../common/spans';
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

interface Props {
  environment: string;
  cells: HeatCell[];
  span: Span;
}

/** What happened in an environment in each part of a time. It leads to what happened there in all of it. */
export const HeatStrip = memo(function HeatStrip({ environment, cells, span }: Props) {
  const { t, language } = useHost();
  const { token } = theme.useToken();
  const background: Record<HeatState, string> = {
    quiet: token.colorSuccessBorder,
    failure: token.colorWarning,
    outage: token.colorError,
    unread: token.colorFillSecondary,
  };
  const told = cells.filter(({ state }) => state === 'outage' || state === 'failure');
  const happened = told.map((cell) => textOf(t, cell, language)).join('; ') || t('nothing');
  return (
    <Link
      to={`${PATHS.activity}?${new URLSearchParams(addressOf({ environment, last: span, page: 1, pageSize: 20 }))}`}
      aria-label={t('Outages and failures in {{environment}}: {{what}}', { environment, what: happened })}
      style={{ display: 'flex', gap: 1, height: 24, alignItems: 'end' }}
      data-testid={`heat-${environment}`}
    >
      {cells.map((cell) => (
        <span
          key={cell.from - cells[0].from}
          title={textOf(t, cell, language)}
          data-state={cell.state}
          style={{
            flex: 1,
            minWidth: 0,
            height: LOOKS[cell.state].height,
            borderRadius: 2,
            background: background[cell.state],
            color: token.colorTextLightSolid,
            fontSize: 11,
            lineHeight: '24px',
            textAlign: 'center',
            overflow: 'hidden',
          }}
        >
          {LOOKS[cell.state].sign}
        </span>
      ))}
    </Link>
  );
});

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
