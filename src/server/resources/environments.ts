import type { ActionContext, Answer } from './action';

export async function list({ supervisor }: ActionContext): Promise<Answer> {
  return { data: supervisor.environmentRows() };
}

export const cordon =
  (cordoned: boolean) =>
  async ({ supervisor, params }: ActionContext): Promise<Answer> => {
    const name = String(params.filterByTk);
    await supervisor.setCordoned(name, cordoned);
    return { data: supervisor.environmentRows().find((row) => row.name === name) };
  };
