import { ReadStream } from 'node:fs';
import { AppSupervisorError } from '../../errors';
import { type GuardedContext, refuse } from './actions';
import { isInside } from './files/places';
import type { Guard } from './guard';

/**
 * The result of a task names a file, which its owner downloads. It is a row in the app's database, which SQL can write,
 * so the guard returns only a file that a task may have written.
 *
 * @param folder where NocoBase's tasks write their files
 */
export const taskFiles = (folder: string): Guard => {
  const confineTaskFiles = async (ctx: GuardedContext, next: () => Promise<unknown>): Promise<void> => {
    await next();
    if (ctx.action?.resourceName !== 'asyncTasks' || !(ctx.body instanceof ReadStream)) return;
    const file = ctx.body;
    if (isInside(folder, String(file.path))) return;
    // Its end or a missing file must not be answered any more.
    file.removeAllListeners('error').on('error', () => undefined);
    file.destroy();
    for (const header of ['Content-Type', 'Content-Disposition']) ctx.remove?.(header);
    refuse(ctx, new AppSupervisorError('TASK_FILE'));
  };
  return {
    afterLoad: (app) =>
      app.resourceManager.use(confineTaskFiles, { tag: 'appSupervisorTaskFiles', before: 'validate-filter-params' }),
  };
};
