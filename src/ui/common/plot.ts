/**
 * The lines of a plot: one for each stretch of known values, as points of an SVG polyline.
 * @param values oldest first; null where nothing is known
 * @param top the value at the upper edge
 */
export function linesOf(values: ReadonlyArray<number | null>, top: number, width: number, height: number): string[] {
  const lines: string[][] = [[]];
  const step = width / Math.max(1, values.length - 1);
  const round = (value: number) => Math.round(value * 10) / 10;
  for (const [index, value] of values.entries()) {
    if (value === null) {
      lines.push([]);
      continue;
    }
    const y = height - (Math.min(value, top) / (top || 1)) * height;
    lines[lines.length - 1].push(`${round(index * step)},${round(y)}`);
  }
  // A single value is a short line, so that it is seen.
  return lines.filter((line) => line.length).map((line) => (line.length > 1 ? line : [...line, line[0]]).join(' '));
}

export const highestOf = (values: ReadonlyArray<number | null>): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length ? Math.max(...known) : null;
};

export const lastOf = (values: ReadonlyArray<number | null>): number | null =>
  values.findLast((value) => value !== null) ?? null;
