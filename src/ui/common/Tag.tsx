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
import { theme } from 'antd';
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

function useColors(look: Look): { strong: string; border: string; background: string } {
  const { token } = theme.useToken();
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
  const Icon = ICONS[look];
  return <Icon aria-hidden style={{ color: useColors(look).strong }} />;
}

/** A state by colour, icon and word. */
export function StateTag({
  look,
  children,
  ...rest
}: { look: Look; children: ReactNode } & Record<`data-${string}`, string>) {
  const { token } = theme.useToken();
  const colors = useColors(look);
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
      <StateIcon look={look} />
      {children}
    </span>
  );
}
