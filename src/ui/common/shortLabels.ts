/** Of `customer:acme`, what follows the first colon. Where two would look the same, both are whole. */
export function shortLabels(labels: readonly string[]): string[] {
  const short = labels.map((label) => label.slice(label.indexOf(':') + 1));
  return labels.map((label, index) =>
    short.filter((each) => each === short[index]).length > 1 ? label : short[index],
  );
}
