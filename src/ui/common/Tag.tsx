import {
  CheckCircleFilled,
  ClockCircleOutlined,
  CloseCircleFilled,
  LoadingOutlined,
  MinusCircleOutlined,
  MoonOutlined,
  QuestionCircleOutlined,
  WarningFilled,
} from '@ant-design/icons';
import { type GlobalToken, theme } from 'antd';
import type { ReactNode } from 'react';
import type { Tone } from './status';

const ICONS: Record<Tone, typeof MoonOutlined> = {
  good: CheckCircleFilled,
  busy: LoadingOutlined,
  asleep: MoonOutlined,
  waiting: ClockCircleOutlined,
  off: MinusCircleOutlined,
  bad: CloseCircleFilled,
  warning: WarningFilled,
  unknown: QuestionCircleOutlined,
};

export function colorsOf(tone: Tone, token: GlobalToken): { strong: string; border: string; background: string } {
  const tones = {
    success: { strong: token.colorSuccess, border: token.colorSuccessBorder, background: token.colorSuccessBg },
    info: { strong: token.colorInfo, border: token.colorInfoBorder, background: token.colorInfoBg },
    warning: { strong: token.colorWarning, border: token.colorWarningBorder, background: token.colorWarningBg },
    error: { strong: token.colorError, border: token.colorErrorBorder, background: token.colorErrorBg },
    none: { strong: token.colorTextSecondary, border: token.colorBorder, background: token.colorFillQuaternary },
  };
  const toneOf: Record<Tone, keyof typeof tones> = {
    good: 'success',
    busy: 'info',
    asleep: 'info',
    waiting: 'none',
    off: 'none',
    bad: 'error',
    warning: 'warning',
    unknown: 'warning',
  };
  return tones[toneOf[tone]];
}

export function StateIcon({ tone }: { tone: Tone }) {
  const { token } = theme.useToken();
  const Icon = ICONS[tone];
  return <Icon aria-hidden style={{ color: colorsOf(tone, token).strong }} />;
}

/** Shows a state with color, icon and text. */
export function StateTag({
  tone,
  icon,
  children,
  ...rest
}: {
  tone: Tone;
  /** If it differs from that of the tone. */
  icon?: typeof MoonOutlined;
  children: ReactNode;
} & Partial<Record<`data-${string}`, string>>) {
  const { token } = theme.useToken();
  const colors = colorsOf(tone, token);
  const Icon = icon ?? ICONS[tone];
  return (
    <span
      {...rest}
      style={{
        display: 'inline-flex',
        alignItems: 'center',
        gap: token.marginXXS,
        padding: `0 ${token.paddingXS}px`,
        border: `1px solid ${colors.border}`,
        borderRadius: token.borderRadiusSM,
        background: colors.background,
        color: token.colorText,
        fontSize: token.fontSizeSM,
        lineHeight: token.lineHeightSM,
        whiteSpace: 'nowrap',
      }}
    >
      <Icon aria-hidden style={{ color: colors.strong }} />
      {children}
    </span>
  );
}
