import type { ContainerAction } from '../../../shared/container';
import { containerLogsInput, makeInput, removeInput } from '../containers/container-input';
import { parseInput } from '../definitions/input';
import { type ActionContext, type Answer, target } from './action';

export async function list({ supervisor }: ActionContext): Promise<Answer> {
  return { data: await supervisor.parts.containers.list() };
}

export async function create({ supervisor, values, userId }: ActionContext): Promise<Answer> {
  return { data: await supervisor.parts.containers.create(parseInput(makeInput, values), userId) };
}

export const act =
  (action: Exclude<ContainerAction, 'destroy'>) =>
  async ({ supervisor, params, userId }: ActionContext): Promise<Answer> => ({
    data: await supervisor.parts.containers.act(action, target(params), userId),
  });

/** @param params.volume `drop` deletes its files as well; `confirm` is then the environment's name if apps have them nowhere else */
export async function destroy({ supervisor, params, userId }: ActionContext): Promise<Answer> {
  const { volume, confirm } = params;
  const environment = target(params);
  await supervisor.parts.containers.destroy(environment, userId, parseInput(removeInput, { volume, confirm }));
  return { data: { environment } };
}

export async function logs({ supervisor, params }: ActionContext): Promise<Answer> {
  const { lines } = parseInput(containerLogsInput, { lines: params.lines });
  return { data: await supervisor.parts.containers.logs(target(params), lines) };
}
