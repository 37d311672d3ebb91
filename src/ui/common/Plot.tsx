import { css } from '@emotion/css';
import { Flex, Skeleton, theme } from 'antd';
import { type KeyboardEvent, type PointerEvent, useState } from 'react';
import { type Translate, useHost } from '../host';
import {
  endedAt,
  highestOf,
  indexAt,
  linesOf,
  nextIndex,
  nowOf,
  reachOf,
  ticksOf,
  timeTicksOf,
  type Values,
} from './plot';
import { Secondary } from './Secondary';
import { Term } from './Term';
import { readableColors } from './theme';
import { clockTime } from './time';

/** In the units of the drawing, which is as wide as there is room. */
const WIDTH = 600;
const HEIGHT = 88;
const SMALL = { width: 120, height: 22 };
/** How many times are named below a plot. */
const TIMES = 5;
/** The share at each edge in which a time would stand over the edge, or in the way of the next one on a phone. */
const EDGE = 0.1;

export interface PlotKind {
  label: string;
  /** What it means, where the label does not say so. */
  help?: string;
  /** The value with its unit, in the language of the page. */
  show: (value: number, t: Translate) => string;
  /** 1024 for bytes. */
  base?: 1000 | 1024;
}

export interface PlotData {
  /** Undefined until they are loaded. */
  values: Values | undefined;
  /** Time of the last value in ms since 1970, and between two values; absent: they are of no time, the newest last. */
  time?: { end: number; step: number };
  /** What the values should not reach: a line, if it is near them. */
  limit?: { value: number; text: string } | null;
  /** Whether any value above 0 is bad. */
  isBad?: boolean;
}

/** At most one digit after the point. */
export const rounded = (value: number): string => String(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));

/** How something went, with axes, its limit, the value of now, and that under the pointer or by arrow keys. */
export function Plot({ label, help, show, base, ...data }: PlotKind & PlotData) {
  const { values, time, limit = null } = data;
  const [index, choose] = useState<number | null>(null);
  const { t } = useHost();
  const texts = usePlotTexts({ label, show, ...data }, index);
  const isKnown = values !== undefined && highestOf(values) !== null;
  const ticks = ticksOf(reachOf(values ?? [], limit?.value ?? null), base);
  return (
    <Flex vertical gap={4} style={{ flex: '1 1 260px', minWidth: 0 }}>
      <Flex justify="space-between" gap="small" align="baseline" style={{ marginBottom: 6 }}>
        <Secondary>{help ? <Term help={help}>{label}</Term> : label}</Secondary>
        <span style={{ whiteSpace: 'nowrap' }} data-testid="plot-value">
          {texts.value}
        </span>
      </Flex>
      {values && !isKnown ? (
        <Flex align="center" justify="center" style={{ height: HEIGHT }}>
          <Secondary>{t('No data yet')}</Secondary>
        </Flex>
      ) : values ? (
        <Flex gap={6}>
          <ValueAxis ticks={ticks} show={(value) => show(value, t)} />
          <div style={{ flex: 1, minWidth: 0 }}>
            <Area label={texts.summary} text={texts.value} {...{ ...data, values, ticks, index, choose }} />
            {time && <TimeAxis {...time} count={values.length} />}
          </div>
        </Flex>
      ) : (
        <Skeleton.Node active style={{ width: '100%', height: HEIGHT }} />
      )}
      {limit && <Secondary>{limit.text}</Secondary>}
    </Flex>
  );
}

interface Small {
  /** What of them is bad. */
  bad?: Values;
  /** Whether its label is shown, and not only told. */
  hasLabel?: boolean;
}

/** Between words it may go on in another line, and not within one, which Chinese would. */
const VALUE = css({ wordBreak: 'keep-all' });

/** The same as small as a word: the line, and the value of now or under the pointer. */
export function Sparkline({ label, show, bad = [], hasLabel = false, ...data }: PlotKind & PlotData & Small) {
  const { values, limit = null, isBad } = data;
  const { token } = theme.useToken();
  const [index, choose] = useState<number | null>(null);
  const texts = usePlotTexts({ label, show, ...data }, index);
  return (
    <Flex wrap gap="0 8px" align="center" style={{ flex: 1, minWidth: 0 }} title={texts.summary}>
      <span style={{ minWidth: 52, fontSize: token.fontSizeSM }}>
        {hasLabel && <Secondary>{label} </Secondary>}
        <span className={VALUE} data-testid="plot-value">
          {texts.value}
        </span>
      </span>
      <div
        style={{ position: 'relative', flex: '1 1 64px', minWidth: 0, height: SMALL.height }}
        {...pointing(values, choose)}
      >
        <Lines
          values={values ?? []}
          top={reachOf(values ?? [], limit?.value ?? null)}
          limit={limit?.value ?? null}
          {...SMALL}
          isBad={isBad}
        />
        {highestOf(bad) ? (
          <Lines values={bad} top={highestOf(values ?? []) ?? 0} limit={null} {...SMALL} isBad />
        ) : null}
        {index !== null && values && <Cursor at={index / Math.max(1, values.length - 1)} />}
      </div>
    </Flex>
  );
}

/** @param index of the value that is looked at; null: that of now */
function usePlotTexts({ label, show, values = [], time, limit }: PlotKind & PlotData, index: number | null) {
  const { t, language } = useHost();
  const text = (value: number | null) => (value === null ? '–' : show(value, t));
  const ended = time ? endedAt(values, time.end, time.step) : null;
  const now =
    ended === null
      ? text(time ? nowOf(values) : (values.at(-1) ?? null))
      : t('no data since {{time}}', { time: clockTime(ended, language) });
  const at = (place: number) =>
    time ? clockTime(time.end - (values.length - 1 - place) * time.step, language) : `${place + 1}/${values.length}`;
  const value = index === null ? now : `${at(index)} · ${text(values[index] ?? null)}`;
  const summary = t('{{what}}: now {{now}}, at most {{highest}}', {
    what: label,
    now,
    highest: text(highestOf(values)),
  });
  return { value, summary: limit ? `${summary}, ${limit.text}` : summary };
}

const pointing = (values: Values | undefined, choose: (index: number | null) => void) => ({
  onPointerMove: ({ clientX, currentTarget }: PointerEvent<HTMLElement>) => {
    const { left, width } = currentTarget.getBoundingClientRect();
    if (values?.length) choose(indexAt((clientX - left) / (width || 1), values.length));
  },
  onPointerLeave: () => choose(null),
});

interface AreaProps extends PlotData {
  label: string;
  /** Of the value that is looked at. */
  text: string;
  values: Values;
  ticks: number[];
  index: number | null;
  choose: (index: number | null) => void;
}

function Area({ label, text, values, ticks, index, choose, limit, isBad }: AreaProps) {
  const { token } = theme.useToken();
  const top = ticks[ticks.length - 1];
  const onKeyDown = (event: KeyboardEvent) => {
    const next = nextIndex(event.key, index ?? values.length - 1, values.length);
    if (next === null) return;
    event.preventDefault();
    choose(next);
  };
  return (
    <div
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={values.length - 1}
      aria-valuenow={index ?? values.length - 1}
      aria-valuetext={text}
      onKeyDown={onKeyDown}
      onBlur={() => choose(null)}
      style={{ position: 'relative', height: HEIGHT, cursor: 'crosshair' }}
      {...pointing(values, choose)}
    >
      {ticks.map((tick) => (
        <div
          key={tick}
          style={{
            position: 'absolute',
            insetInline: 0,
            top: fromTop(tick / top),
            borderTop: `1px solid ${token.colorSplit}`,
          }}
        />
      ))}
      <Lines values={values} top={top} limit={limit?.value ?? null} width={WIDTH} height={HEIGHT} isBad={isBad} />
      {index !== null && <Cursor at={index / Math.max(1, values.length - 1)} value={share(values[index], top)} />}
    </div>
  );
}

const fromTop = (share: number) => `${100 * (1 - share)}%`;
const share = (value: number | null | undefined, top: number) =>
  value === null || value === undefined ? null : value / top;

interface LinesProps {
  values: Values;
  top: number;
  limit: number | null;
  width: number;
  height: number;
  isBad?: boolean;
}

function Lines({ values, top, limit, width, height, isBad = false }: LinesProps) {
  const { token } = theme.useToken();
  const { link, danger, warning } = readableColors(token);
  const stroke = { fill: 'none', strokeWidth: 1.5, vectorEffect: 'non-scaling-stroke' as const };
  const limitAt = limit !== null && limit <= top ? height - (limit / top) * height : null;
  return (
    <svg
      width="100%"
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      aria-hidden
      style={{ position: 'absolute', inset: 0, overflow: 'visible' }}
    >
      {limitAt !== null && (
        <line x1={0} x2={width} y1={limitAt} y2={limitAt} {...stroke} stroke={warning} strokeDasharray="4 3" />
      )}
      {linesOf(values, top, width, height).map((points) => (
        <polyline
          key={points.slice(0, 20)}
          points={points}
          {...stroke}
          stroke={isBad && highestOf(values) ? danger : link}
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      ))}
    </svg>
  );
}

/** @param at from 0 to 1 of the width; `value` of the height */
function Cursor({ at, value = null }: { at: number; value?: number | null }) {
  const { token } = theme.useToken();
  const { link } = readableColors(token);
  return (
    <>
      <div
        style={{
          position: 'absolute',
          top: 0,
          bottom: 0,
          left: `${100 * at}%`,
          borderInlineStart: `1px solid ${token.colorTextTertiary}`,
        }}
      />
      {value !== null && (
        <div
          style={{
            position: 'absolute',
            left: `calc(${100 * at}% - 3px)`,
            top: `calc(${fromTop(value)} - 3px)`,
            width: 7,
            height: 7,
            borderRadius: '50%',
            background: link,
          }}
        />
      )}
    </>
  );
}

function ValueAxis({ ticks, show }: { ticks: number[]; show: (value: number) => string }) {
  const { token } = theme.useToken();
  const top = ticks[ticks.length - 1];
  return (
    <div
      aria-hidden
      style={{ position: 'relative', height: HEIGHT, minWidth: 24, fontSize: token.fontSizeSM, lineHeight: 1 }}
    >
      {/* Keeps the room for the widest one. */}
      <div style={{ visibility: 'hidden', whiteSpace: 'nowrap' }}>{show(top)}</div>
      {ticks.map((tick) => (
        <div
          key={tick}
          style={{
            position: 'absolute',
            insetInlineEnd: 0,
            top: fromTop(tick / top),
            transform: 'translateY(-50%)',
            whiteSpace: 'nowrap',
          }}
        >
          <Secondary>{show(tick)}</Secondary>
        </div>
      ))}
    </div>
  );
}

function TimeAxis({ end, step, count }: { end: number; step: number; count: number }) {
  const { language } = useHost();
  const begin = end - (count - 1) * step;
  return <TimeLabels from={begin} to={end} text={(at) => clockTime(at, language)} />;
}

/** The names of round times, each at its place. */
export function TimeLabels({
  from,
  to,
  text,
  most = TIMES,
}: {
  from: number;
  to: number;
  text: (at: number) => string;
  most?: number;
}) {
  const { token } = theme.useToken();
  const zone = -new Date(to).getTimezoneOffset() * 60_000;
  return (
    <div
      aria-hidden
      style={{ position: 'relative', height: 18, marginTop: 4, fontSize: token.fontSizeSM, lineHeight: 1.2 }}
    >
      {timeTicksOf(from, to, most, zone)
        .map((at) => ({ at, left: (at - from) / (to - from) }))
        .filter(({ left }) => left >= EDGE && left <= 1 - EDGE)
        .map(({ at, left }) => (
          <span
            key={at}
            style={{
              position: 'absolute',
              left: `${100 * left}%`,
              transform: 'translateX(-50%)',
              whiteSpace: 'nowrap',
            }}
          >
            <Secondary>{text(at)}</Secondary>
          </span>
        ))}
    </div>
  );
}
