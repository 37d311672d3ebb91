import { Flex, theme } from 'antd';
import { useT } from '../host';
import { highestOf, lastOf, linesOf } from './plot';
import { Secondary } from './Secondary';
import { readableColors } from './theme';

/** In the units of the drawing, which is as wide as there is room. */
const WIDTH = 150;
const HEIGHT = 36;

export interface PlotKind {
  label: string;
  show: (value: number) => string;
}

/** At most one digit after the point. */
export const rounded = (value: number): string => String(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));

/** A line without axes: how it went, the value now, and the highest one. */
export function Plot({
  label,
  show,
  values,
  isBad = false,
}: PlotKind & { values: Array<number | null>; isBad?: boolean }) {
  const t = useT();
  const { token } = theme.useToken();
  const [highest, last] = [highestOf(values), lastOf(values)];
  const text = (value: number | null) => (value === null ? '–' : show(value));
  const { link, danger } = readableColors(token);
  return (
    <Flex vertical gap={2} justify="space-between" style={{ flex: '1 1 0', minWidth: 110 }}>
      <Flex justify="space-between" gap="small">
        <Secondary>{label}</Secondary>
        <span style={{ whiteSpace: 'nowrap' }}>{text(values.at(-1) ?? last)}</span>
      </Flex>
      <svg
        width="100%"
        height={HEIGHT}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={t('{{what}}: now {{now}}, at most {{highest}}', {
          what: label,
          now: text(last),
          highest: text(highest),
        })}
        style={{ borderBottom: `1px solid ${token.colorSplit}` }}
      >
        <title>{t('at most {{highest}}', { highest: text(highest) })}</title>
        {linesOf(values, highest ?? 0, WIDTH, HEIGHT - 2).map((points) => (
          <polyline
            key={points.slice(0, 20)}
            points={points}
            transform="translate(0 1)"
            fill="none"
            stroke={isBad && highest ? danger : link}
            strokeWidth={1.5}
            vectorEffect="non-scaling-stroke"
            strokeLinecap="round"
            strokeLinejoin="round"
          />
        ))}
      </svg>
    </Flex>
  );
}
