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
import type { Look } from './status';

const ICONS: Record<Look, typeof MoonOutlined> = {
  good: CheckCircleFilled,
  busy: LoadingOutlined,
  asleep: MoonOutlined,
  waiting: ClockCircleOutlined,
  off: MinusCircleOutlined,
  bad: CloseCircleFilled,
  warning: WarningFilled,
  unknown: QuestionCircleOutlined,
};

function colorsOf(look: Look, token: GlobalToken): { strong: string; border: string; background: string } {
  const tones = {
    success: { strong: token.colorSuccess, border: token.colorSuccessBorder, background: token.colorSuccessBg },
    info: { strong: token.colorInfo, border: token.colorInfoBorder, background: token.colorInfoBg },
    warning: { strong: token.colorWarning, border: token.colorWarningBorder, background: token.colorWarningBg },
    error: { strong: token.colorError, border: token.colorErrorBorder, background: token.colorErrorBg },
    none: { strong: token.colorTextSecondary, border: token.colorBorder, background: token.colorFillQuaternary },
  };
  const tone: Record<Look, keyof typeof tones> = {
    good: 'success',
    busy: 'info',
    asleep: 'info',
    waiting: 'none',
    off: 'none',
    bad: 'error',
    warning: 'warning',
    unknown: 'warning',
  };
  return tones[tone[look]];
}

export function StateIcon({ look }: { look: Look }) {
  const { token } = theme.useToken();
  const Icon = ICONS[look];
  return <Icon aria-hidden style={{ color: colorsOf(look, token).strong }} />;
}

/** Shows a state with color, icon and text. */
export function StateTag({
  look,
  children,
  ...rest
}: { look: Look; children: ReactNode } & Record<`data-${string}`, string>) {
  const { token } = theme.useToken();
  const colors = colorsOf(look, token);
  const Icon = ICONS[look];
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
