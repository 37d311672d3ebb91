/** The index that a key leads to in a grid; null for another key. @param columns number of cells in a row */
export function nextCell(key: string, index: number, count: number, columns: number): number | null {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[key];
  if (step !== undefined) return Math.min(count - 1, Math.max(0, index + step));
  if (key === 'Home') return 0;
  return key === 'End' ? count - 1 : null;
}
