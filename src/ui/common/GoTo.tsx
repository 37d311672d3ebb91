import { ClusterOutlined, SearchOutlined } from '@ant-design/icons';
import { css } from '@emotion/css';
import { useDebounce, useRequest } from 'ahooks';
import { Button, type GlobalToken, Input, type InputRef, Modal, theme } from 'antd';
import { type KeyboardEvent, type ReactNode, useId, useRef, useState } from 'react';
import { useNavigate } from 'react-router-dom';
import { useHost, useT } from '../host';
import { AppAvatar } from './AppAvatar';
import { useApi } from './api';
import { asksForFinder } from './keys';
import { environmentPath, PATHS } from './paths';
import { Secondary } from './Secondary';
import { APPS } from './snippets';
import { useFocusReturn } from './useFocusReturn';
import { useOpenByKey } from './useKeys';

/** The names of keys are the same in every language. */
const SHORTCUT = 'Ctrl K';
/** Most apps, and most environments, that are offered. */
const MOST = 8;

/** Finds an app or an environment from any page, by a button or by Ctrl-K, and goes there. */
export function GoTo({ isLocal }: { isLocal: boolean }) {
  const t = useT();
  const { maySee } = useHost();
  const [isOpen, setOpen] = useOpenByKey(asksForFinder);
  if (!maySee(APPS)) return null;
  return (
    <>
      <Button
        size="small"
        icon={<SearchOutlined />}
        onClick={() => setOpen(true)}
        aria-keyshortcuts="Control+K Meta+K"
        data-testid="go-to"
      >
        {t('Go to app')} <kbd className={KEY}>{SHORTCUT}</kbd>
      </Button>
      {isOpen && <Finder isLocal={isLocal} close={() => setOpen(false)} />}
    </>
  );
}

interface Target {
  key: string;
  icon: ReactNode;
  title: string;
  detail: string;
  path: string;
}

function Finder({ isLocal, close }: { isLocal: boolean; close: () => void }) {
  const t = useT();
  const navigate = useNavigate();
  const list = useId();
  const input = useRef<InputRef>(null);
  const [text, enter] = useState('');
  const [at, move] = useState(0);
  const { targets, isSearching } = useTargets(text, isLocal);
  useFocusReturn();
  const go = ({ path }: Target) => {
    close();
    navigate(path);
  };
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && targets.length) move((at + step + targets.length) % targets.length);
    else if (event.key === 'Enter' && targets[at] && !isSearching) go(targets[at]);
    else return;
    event.preventDefault();
  };
  return (
    <Modal
      open
      footer={null}
      closable={false}
      title={t('Go to app')}
      onCancel={close}
      width={520}
      style={{ top: 80 }}
      // It is there at once, and has the focus: whoever goes by keyboard types on.
      transitionName=""
      maskTransitionName=""
      afterOpenChange={(isOpen) => {
        if (isOpen) input.current?.focus();
      }}
    >
      <Input
        ref={input}
        role="combobox"
        aria-expanded={targets.length > 0}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={targets[at] && `${list}-${at}`}
        aria-label={t('Find apps by name, identifier, label, environment, domain or error')}
        placeholder={t('Name, label, environment, domain or error')}
        prefix={<SearchOutlined aria-hidden />}
        value={text}
        onChange={({ target }) => {
          enter(target.value);
          move(0);
        }}
        onKeyDown={onKey}
        data-testid="go-to-text"
      />
      <TargetList id={list} targets={targets} at={at} move={move} go={go} />
      <div role="status">
        <Secondary>{isSearching ? t('Searching…') : !targets.length && t('Nothing matches')}</Secondary>
      </div>
    </Modal>
  );
}

interface ListProps {
  id: string;
  targets: Target[];
  /** The place of the one that is active. */
  at: number;
  move: (to: number) => void;
  go: (target: Target) => void;
}

/** What is found. The keyboard is that of the input, which names the option that is active. */
function TargetList({ id, targets, at, move, go }: ListProps) {
  const t = useT();
  const { token } = theme.useToken();
  return (
    <div role="listbox" id={id} aria-label={t('Go to app')} className={LIST}>
      {targets.map((target, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: as said
        // biome-ignore lint/a11y/useFocusableInteractive: as said
        <div
          key={target.key}
          id={`${id}-${index}`}
          role="option"
          aria-selected={index === at}
          className={optionOf(token)}
          onMouseMove={() => move(index)}
          onClick={() => go(target)}
          data-testid={`go-to-${target.key}`}
        >
          {target.icon}
          <span style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
            {target.title} <Secondary>{target.detail}</Secondary>
          </span>
        </div>
      ))}
    </div>
  );
}

/** What matches: environments by name, apps as the list finds them. */
function useTargets(text: string, isLocal: boolean): { targets: Target[]; isSearching: boolean } {
  const t = useT();
  const api = useApi();
  const asked = useDebounce(text, { wait: 150 });
  const { data: apps } = useRequest(
    async () => ({ asked, rows: (await api.listApps({ text: asked, page: 1, pageSize: MOST })).rows }),
    { refreshDeps: [asked], onError: () => {} },
  );
  // A role may see apps and no environments.
  const { data: environments = [] } = useRequest(api.listEnvironments, { ready: !isLocal, onError: () => {} });
  const latest = useRef(apps);
  if (apps) latest.current = apps;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const places = environments.filter(
    ({ name }) => words.length > 0 && words.every((word) => name.toLowerCase().includes(word)),
  );
  const targets = [
    ...places.slice(0, MOST).map(({ name }) => ({
      key: `environment-${name}`,
      icon: <ClusterOutlined aria-hidden />,
      title: name,
      detail: t('Environment'),
      path: environmentPath(name),
    })),
    ...(latest.current?.rows ?? []).map((app) => ({
      key: `app-${app.name}`,
      icon: <AppAvatar app={app} />,
      title: app.title,
      detail: [app.name, ...app.environments, app.cname].filter(Boolean).join(' · '),
      path: `${PATHS.apps}?${new URLSearchParams({ app: app.name })}`,
    })),
  ];
  return { targets, isSearching: latest.current?.asked !== text };
}

const KEY = css({ marginInlineStart: 4, opacity: 0.6, fontFamily: 'inherit', fontSize: 'smaller' });
const LIST = css({ maxHeight: 400, overflowY: 'auto', marginTop: 8 });
const optionOf = (token: GlobalToken) =>
  css({
    display: 'flex',
    alignItems: 'center',
    gap: 8,
    minHeight: 36,
    padding: '4px 8px',
    borderRadius: token.borderRadiusSM,
    cursor: 'pointer',
    '&[aria-selected=true]': { background: token.controlItemBgActive },
  });
