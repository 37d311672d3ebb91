import { DownloadOutlined, SearchOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Button, Empty, Flex, Input, Radio, Select, Spin, Switch, theme } from 'antd';
import { useEffect, useId, useMemo, useRef, useState } from 'react';
import type { AppRow } from '../../shared/types';
import { useApi } from '../common/api';
import type { ApiError } from '../common/errors';
import { Failure, Freshness, useIsLocal } from '../common/Page';
import { Secondary } from '../common/Secondary';
import { key } from '../common/text';
import { readableColors } from '../common/theme';
import { exactTime } from '../common/time';
import { useAddress } from '../common/useAddress';
import { useHost, useT } from '../host';
import { filtered, LEVEL_FILTERS, type Level, type LogLine, linesOf, logPlaces } from './log';

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

/** The last lines of an app's log in one of its environments, or those until a time that the address names. */
export function AppLog({ app }: { app: AppRow }) {
  const host = useHost();
  const { t, language } = host;
  const api = useApi();
  const { of, until, ask } = useQuestion();
  const environments = logPlaces(app, of);
  const environment = of ?? environments[0];
  const [view, setView] = useState<View>({ follows: true, text: '' });
  const { follows, level, text } = view;
  const isFollowed = follows && until === undefined;
  const {
    data: answer,
    error,
    loading,
    refresh,
  } = useRequest(async () => ({ environment, until, lines: await api.logs(app.name, environment, LINES, until) }), {
    ready: environment !== undefined,
    // A log that is followed again is asked for at once; nothing else would begin to ask.
    refreshDeps: [app.name, environment, until, isFollowed],
    pollingInterval: isFollowed ? FOLLOW : 0,
    pollingWhenHidden: false,
  });
  // The last answer may be about another environment, or another time.
  const data = answer?.environment === environment && answer?.until === until ? answer?.lines : undefined;
  const lines = useMemo(() => linesOf(data ?? []), [data]);
  const shown = useMemo(() => filtered(lines, level, text), [lines, level, text]);
  if (!environment) return <NoLog />;
  return (
    <Flex vertical gap="small">
      <Environments names={environments} chosen={environment} choose={(logOf) => ask({ logOf })} />
      {until !== undefined && (
        <Flex gap="small" align="center" wrap data-testid="log-until">
          <Secondary>{t('Until {{time}}', { time: exactTime(until, language) })}</Secondary>
          <Button size="small" onClick={() => ask({ logUntil: null })}>
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
        save={data?.length ? () => host.save(`${data.join('\n')}\n`, `${app.name}-${environment}.log`) : undefined}
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

/** What of the log is shown, in the address. */
function useQuestion() {
  const { params, replace } = useAddress();
  const time = Date.parse(params.get('logUntil') ?? '');
  const ask = (change: Record<string, string | null>) =>
    replace((now) => {
      for (const [key, value] of Object.entries(change)) {
        if (value === null) now.delete(key);
        else now.set(key, value);
      }
      return now;
    });
  return { of: params.get('logOf'), until: Number.isNaN(time) ? undefined : time, ask };
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

interface EnvironmentsProps {
  names: string[];
  chosen: string;
  choose: (name: string) => void;
}

function Environments({ names, chosen, choose }: EnvironmentsProps) {
  const t = useT();
  if (useIsLocal() || names.length < 2) return null;
  return (
    <Radio.Group
      size="small"
      optionType="button"
      value={chosen}
      onChange={({ target }) => choose(target.value)}
      options={names}
      aria-label={t('Environment')}
    />
  );
}

function NoLog() {
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
