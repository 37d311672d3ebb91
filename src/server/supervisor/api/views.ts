import { newViewInput, parseInput, viewInput } from '../definitions/input';
import { type ActionContext, type Answer, target } from './action';

/** Whose views these are. Whoever is nobody has views with all others who are nobody. */
const owner = ({ userId }: ActionContext): string => userId ?? '';

/** Only the caller's own ones, as in every action of this file. */
export async function list(context: ActionContext): Promise<Answer> {
  return { data: await context.supervisor.parts.views.list(owner(context)) };
}

export async function create(context: ActionContext): Promise<Answer> {
  const values = parseInput(newViewInput, context.values);
  return { data: await context.supervisor.parts.views.create(owner(context), values) };
}

export async function update(context: ActionContext): Promise<Answer> {
  const id = target(context.params);
  const values = parseInput(viewInput, context.values);
  return { data: await context.supervisor.parts.views.update(owner(context), id, values) };
}

export async function destroy(context: ActionContext): Promise<Answer> {
  const id = target(context.params);
  await context.supervisor.parts.views.destroy(owner(context), id);
  return { data: id };
}
