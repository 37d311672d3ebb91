import { DownloadOutlined, SearchOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Button, Empty, Flex, Input, Select, Spin, Switch, theme } from 'antd';
import { type ReactNode, useEffect, useId, useMemo, useRef, useState } from 'react';
import { useHost, useT } from '../host';
import type { ApiError } from './errors';
import { filtered, LEVEL_FILTERS, type Level, type LogLine, linesOf } from './log';
import { Failure, Freshness } from './Page';
import { Secondary } from './Secondary';
import { key } from './text';
import { readableColors } from './theme';
import { exactTime } from './time';
import { useAddress } from './useAddress';

/** How many lines are asked for. */
const LINES = 500;
/** How often new lines are asked for, in ms. */
const FOLLOW = 3_000;
/** So near to its end a log is at its end, in px. */
const NEAR = 40;

const LEVEL_LABELS: Record<(typeof LEVEL_FILTERS)[number], string> = {
  info: key('Without debugging'),
  warn: key('Warnings and errors'),
  error: key('Errors'),
};

interface Props {
  /** Whose log it is: another one is another question. */
  of: string;
  /** @param until in ms since 1970; undefined: the newest lines */
  load: (lines: number, until?: number) => Promise<string[]>;
  /** Name of the file in which it is saved. */
  file: string;
  /** Stands above it. */
  children?: ReactNode;
}

/** The last lines of a log, or those until a time that the address names. */
export function LogView({ of, load, file, children }: Props) {
  const host = useHost();
  const { t, language } = host;
  const { until, showNewest } = useUntil();
  const [view, setView] = useState<View>({ follows: true, text: '' });
  const { follows, level, text } = view;
  const isFollowed = follows && until === undefined;
  const {
    data: answer,
    error,
    loading,
    refresh,
  } = useRequest(async () => ({ of, until, lines: await load(LINES, until) }), {
    // A log that is followed again is asked for at once; nothing else would begin to ask.
    refreshDeps: [of, until, isFollowed],
    pollingInterval: isFollowed ? FOLLOW : 0,
    pollingWhenHidden: false,
  });
  // The last answer may be about another log, or another time.
  const data = answer?.of === of && answer?.until === until ? answer?.lines : undefined;
  const lines = useMemo(() => linesOf(data ?? []), [data]);
  const shown = useMemo(() => filtered(lines, level, text), [lines, level, text]);
  return (
    <Flex vertical gap="small">
      {children}
      {until !== undefined && (
        <Flex gap="small" align="center" wrap data-testid="log-until">
          <Secondary>{t('Until {{time}}', { time: exactTime(until, language) })}</Secondary>
          <Button size="small" onClick={showNewest}>
            {t('Newest lines')}
          </Button>
        </Flex>
      )}
      <LogTools
        level={level}
        text={text}
        isFollowed={isFollowed}
        mayFollow={until === undefined}
        change={(next) => setView((before) => ({ ...before, ...next }))}
        save={data?.length ? () => host.save(`${data.join('\n')}\n`, file) : undefined}
        loading={loading}
        refresh={refresh}
      />
      {error && !data ? (
        <Failure error={error as ApiError} retry={refresh} />
      ) : data ? (
        <>
          {error && <Freshness error={error as ApiError} />}
          {shown.length < lines.length && (
            <Secondary>
              {t('{{shown}} of the last {{count}} lines', { shown: shown.length, count: lines.length })}
            </Secondary>
          )}
          <Lines lines={shown} isFiltered={shown.length < lines.length} />
        </>
      ) : (
        <Spin />
      )}
    </Flex>
  );
}

/** Until when the log is shown, in the address. */
function useUntil() {
  const { params, replace } = useAddress();
  const time = Date.parse(params.get('logUntil') ?? '');
  const showNewest = () =>
    replace((now) => {
      now.delete('logUntil');
      return now;
    });
  return { until: Number.isNaN(time) ? undefined : time, showNewest };
}

interface View {
  follows: boolean;
  level?: Level;
  text: string;
}

interface ToolsProps extends Omit<View, 'follows'> {
  isFollowed: boolean;
  /** False for lines of the past. */
  mayFollow: boolean;
  change: (next: Partial<View>) => void;
  /** Absent while there is nothing to save. */
  save?: () => void;
  loading: boolean;
  refresh: () => void;
}

function LogTools({ isFollowed, mayFollow, level, text, change, save, loading, refresh }: ToolsProps) {
  const t = useT();
  const follow = useId();
  return (
    <Flex gap="small" wrap align="center" role="search">
      <Input
        prefix={<SearchOutlined aria-hidden />}
        allowClear
        placeholder={t('Find in these lines')}
        aria-label={t('Find in these lines')}
        style={{ flex: '1 1 160px', maxWidth: 280 }}
        value={text}
        onChange={(event) => change({ text: event.target.value })}
        data-testid="log-text"
      />
      <Select<Level>
        allowClear
        placeholder={t('Any level')}
        aria-label={t('Find by level')}
        style={{ minWidth: 170 }}
        value={level}
        onChange={(level) => change({ level })}
        options={LEVEL_FILTERS.map((value) => ({ value, label: t(LEVEL_LABELS[value]) }))}
        data-testid="log-level"
      />
      <Flex gap={6} align="center">
        <Switch
          id={follow}
          checked={isFollowed}
          disabled={!mayFollow}
          onChange={(follows) => change({ follows })}
          data-testid="log-follow"
        />
        <label htmlFor={follow}>{t('Follow')}</label>
      </Flex>
      {!isFollowed && (
        <Button loading={loading} onClick={refresh}>
          {t('Refresh')}
        </Button>
      )}
      <Button icon={<DownloadOutlined aria-hidden />} disabled={!save} onClick={save} data-testid="log-download">
        {t('Download')}
      </Button>
    </Flex>
  );
}

export function NoLog() {
  const t = useT();
  return <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No log yet')} />;
}

/** The newest line is in sight, unless somebody has scrolled away from it. */
function Lines({ lines, isFiltered }: { lines: LogLine[]; isFiltered: boolean }) {
  const t = useT();
  const { token } = theme.useToken();
  const box = useRef<HTMLPreElement>(null);
  const isAtEnd = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: new lines come with their end in sight
  useEffect(() => {
    if (isAtEnd.current) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [lines]);
  if (!lines.length) {
    return isFiltered ? (
      <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No line matches this filter')} />
    ) : (
      <NoLog />
    );
  }
  const { danger, warning } = readableColors(token);
  const colors: Partial<Record<Level, string>> = { error: danger, warn: warning };
  return (
    <pre
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be in reach of the keyboard
      tabIndex={0}
      data-testid="app-log"
      ref={box}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < NEAR;
      }}
      style={{
        margin: 0,
        padding: token.paddingXS,
        height: 480,
        overflow: 'auto',
        fontSize: 12,
        whiteSpace: 'pre-wrap',
        overflowWrap: 'anywhere',
        border: `1px solid ${token.colorBorderSecondary}`,
        borderRadius: token.borderRadius,
        background: token.colorFillQuaternary,
      }}
    >
      {lines.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity of their own
        <div key={index} style={{ paddingInlineStart: line.time ? 0 : 16 }}>
          {line.time && <Secondary>{line.time} </Secondary>}
          {line.time && line.level && (
            <strong style={{ color: colors[line.level], fontWeight: colors[line.level] ? 600 : 400 }}>
              {line.level.toUpperCase().padEnd(5)}{' '}
            </strong>
          )}
          {line.message}
          {line.details && <Secondary> {line.details}</Secondary>}
        </div>
      ))}
    </pre>
  );
}
