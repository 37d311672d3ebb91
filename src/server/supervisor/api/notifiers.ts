import { parseInput } from '../definitions/input';
import { notifierId, notifierInput } from '../notices/notifier-input';
import { type ActionContext, type Answer, target } from './action';

/** The notifiers, with the channels that exist in `meta`. */
export async function list({ supervisor }: ActionContext): Promise<Answer> {
  const { notifiers, ...meta } = await supervisor.parts.notifierSettings.list();
  return { data: notifiers, meta };
}

export async function update({ supervisor, params, values, userId }: ActionContext): Promise<Answer> {
  const id = parseInput(notifierId, target(params), 'filterByTk');
  return { data: await supervisor.parts.notifierSettings.update(id, parseInput(notifierInput[id], values), userId) };
}

export async function test({ supervisor, params }: ActionContext): Promise<Answer> {
  return { data: await supervisor.parts.notifierSettings.test(parseInput(notifierId, target(params), 'filterByTk')) };
}
