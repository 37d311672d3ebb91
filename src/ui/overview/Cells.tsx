import { css } from '@emotion/css';
import { Card, Empty, Flex, theme } from 'antd';
import { type KeyboardEvent, memo, useMemo, useState } from 'react';
import { useHref, useNavigate } from 'react-router-dom';
import type { Cell, EnvironmentSummary } from '../../shared/summary';
import { PATHS } from '../common/paths';
import { Secondary } from '../common/Secondary';
import { HEALTH, STATUS, type Tone } from '../common/status';
import { colorsOf, StateTag } from '../common/Tag';
import { TextLink } from '../common/TextLink';
import { useT } from '../host';
import { nextCell } from './grid';

/** Not by color alone. */
const SIGNS: Record<Tone, string> = {
  good: '',
  busy: '…',
  asleep: 'z',
  waiting: '…',
  off: '–',
  bad: '×',
  warning: '!',
  unknown: '?',
};
const SIGN = 'data-sign';
const SIZE = 16;
const GAP = 3;
const NAME_WIDTH = 240;

/** A cell for each app, by environment. */
export function Cells({ environments }: { environments: EnvironmentSummary[] }) {
  const t = useT();
  return (
    <Card size="small" title={t('Apps by environment')}>
      <Flex vertical gap="middle">
        {environments.map((environment) => (
          <Flex key={environment.name} vertical gap={4} data-testid={`cells-${environment.name}`}>
            <Flex gap="small" align="center" wrap>
              <strong>{environment.name}</strong>
              <StateTag tone={HEALTH[environment.health].tone}>{t(HEALTH[environment.health].label)}</StateTag>
              {environment.cordoned && <StateTag tone="off">{t('Cordoned')}</StateTag>}
              <Secondary>{t('{{count}} apps', { count: environment.apps.length + environment.more })}</Secondary>
            </Flex>
            <Grid environment={environment.name} cells={environment.apps} />
            {environment.more > 0 && (
              <TextLink to={`${PATHS.apps}?${new URLSearchParams({ environment: environment.name })}`}>
                {t('and {{count}} more', { count: environment.more })}
              </TextLink>
            )}
          </Flex>
        ))}
        {!environments.length && (
          <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No environment has registered yet')} />
        )}
      </Flex>
    </Card>
  );
}

interface GridProps {
  environment: string;
  cells: Cell[];
}

/**
 * One tab stop; arrow keys go from cell to cell, Enter opens the app. The events are those of the grid: a thousand cells
 * have no listeners of their own.
 */
function Grid({ environment, cells }: GridProps) {
  const navigate = useNavigate();
  const apps = useHref(PATHS.apps);
  const { token } = theme.useToken();
  const [shown, setShown] = useState<{ index: number; left: number; top: number }>();
  const [focused, setFocused] = useState(0);
  const style = useMemo(() => gridStyle(token.borderRadiusXS, token.colorPrimary), [token]);
  const cellAt = (target: EventTarget) => (target as HTMLElement).closest<HTMLElement>('[data-index]');
  const name = (target: EventTarget) => {
    const cell = cellAt(target);
    if (!cell) return;
    const rightmost = Math.max(0, (cell.parentElement?.clientWidth ?? 0) - NAME_WIDTH);
    setShown({ index: Number(cell.dataset.index), left: Math.min(cell.offsetLeft, rightmost), top: cell.offsetTop });
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const columns = Math.max(1, Math.floor((event.currentTarget.clientWidth + GAP) / (SIZE + GAP)));
    const next = nextCell(event.key, focused, cells.length, columns);
    if (next === null) return;
    event.preventDefault();
    setFocused(next);
    event.currentTarget.querySelector<HTMLElement>(`[data-index="${next}"]`)?.focus();
  };
  const current = shown && cells[shown.index];
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: its links are what is used; their events come here.
    <div
      className={style}
      onMouseOver={({ target }) => name(target)}
      onMouseLeave={() => setShown(undefined)}
      onFocus={({ target }) => {
        setFocused(Number(cellAt(target)?.dataset.index ?? 0));
        name(target);
      }}
      onBlur={() => setShown(undefined)}
      onKeyDown={onKeyDown}
      onClick={(event) => {
        const app = cellAt(event.target)?.dataset.app;
        if (!app || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        navigate(`${PATHS.apps}?${new URLSearchParams({ app })}`);
      }}
    >
      {cells.map((cell, index) => (
        <OneCell
          key={cell.name}
          cell={cell}
          index={index}
          environment={environment}
          apps={apps}
          isStop={index === Math.min(focused, cells.length - 1)}
        />
      ))}
      {current && <Name cell={current} {...shown} />}
    </div>
  );
}

/** Below the cell that the pointer or the focus is on. */
function Name({ cell: { title, status }, left, top }: { cell: Cell; left: number; top: number }) {
  const t = useT();
  const { token } = theme.useToken();
  return (
    <div
      role="tooltip"
      style={{
        position: 'absolute',
        left,
        top: top + SIZE + 4,
        zIndex: token.zIndexPopupBase,
        padding: '2px 8px',
        maxWidth: NAME_WIDTH,
        borderRadius: token.borderRadiusSM,
        background: token.colorBgSpotlight,
        color: token.colorTextLightSolid,
        pointerEvents: 'none',
      }}
    >
      {title} · {t(STATUS[status].label)}
    </div>
  );
}

const OneCell = memo(function OneCell({
  cell: { name, title, status },
  index,
  environment,
  apps,
  isStop,
}: {
  cell: Cell;
  index: number;
  environment: string;
  /** Address of the list of apps. */
  apps: string;
  isStop: boolean;
}) {
  const t = useT();
  const { token } = theme.useToken();
  const { label, tone } = STATUS[status];
  const { strong, border, background } = colorsOf(tone, token);
  const isFilled = tone === 'good' || tone === 'bad' || tone === 'busy';
  return (
    <a
      href={`${apps}?${new URLSearchParams({ app: name })}`}
      data-index={index}
      data-app={name}
      data-status={status}
      {...{ [SIGN]: SIGNS[tone] }}
      data-testid={`cell-${name}-${environment}`}
      tabIndex={isStop ? 0 : -1}
      aria-label={`${title}: ${t(label)}`}
      style={{
        color: isFilled ? token.colorTextLightSolid : strong,
        background: isFilled ? strong : background,
        borderColor: isFilled ? strong : border,
      }}
    />
  );
});

const gridStyle = (radius: number, focus: string) =>
  css({
    position: 'relative',
    display: 'flex',
    flexWrap: 'wrap',
    gap: GAP,
    '& > a': {
      width: SIZE,
      height: SIZE,
      lineHeight: `${SIZE - 2}px`,
      fontSize: 11,
      textAlign: 'center',
      borderRadius: radius,
      border: '1px solid',
      textDecoration: 'none',
    },
    '& > a::before': { content: `attr(${SIGN})` },
    '& > a:focus-visible': { outline: `2px solid ${focus}`, outlineOffset: 1 },
  });
