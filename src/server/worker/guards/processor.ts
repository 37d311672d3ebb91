/** What a node of a workflow gets to read its configuration with. */
interface Processor {
  getParsedValue(...args: unknown[]): unknown;
}

/**
 * The same processor, whose values are confined after variables were put in: before, a variable can stand for anything.
 *
 * @param args of an instruction's `run`: node, job, processor
 */
export function withConfined(args: unknown[], confine: (config: unknown) => unknown): unknown[] {
  const [node, job, processor, ...more] = args as [unknown, unknown, Processor, ...unknown[]];
  const confined = Object.create(processor as object, {
    getParsedValue: { value: (...values: unknown[]) => confine(processor.getParsedValue(...values)) },
  });
  return [node, job, confined, ...more];
}
