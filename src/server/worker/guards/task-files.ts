import { ReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { HostConfig } from '../../config/core-settings';
import { AppSupervisorError } from '../../errors';
import { moveAcross } from '../files/app-folders';
import { isBelow, isInside } from '../files/file-addresses';
import { type GuardedContext, refuse } from './actions';
import { type Guard, guardPlugin } from './guard';

/** The folder of what an app's tasks have made: next to its uploads, so that it is set aside and deleted with them. */
export const taskFilesOf = (storagePath: string, app: string): string => path.join(storagePath, 'apps', app, 'tasks');

/** NocoBase keeps an app's unfinished backups apart itself. */
const backupsOf = (temporaryPath: string, app: string): string => path.join(temporaryPath, 'backups', app);

/** What a task may give back, besides. */
interface TaskResult {
  filePath?: unknown;
}

/**
 * The result of a task names a file, which its owner downloads. It is a row in the app's database, which SQL can write, and tasks of
 * all apps write to one folder: so a file that a task of an app has made there is moved to a folder of that app, and the app
 * reads nothing else.
 */
export const taskFiles = (host: Pick<HostConfig, 'nodeModulesPath' | 'temporaryPath' | 'storagePath'>): Guard => {
  const { temporaryPath, storagePath } = host;

  async function keep(result: unknown, app: string): Promise<unknown> {
    const { filePath } = (result ?? {}) as TaskResult;
    const isMade = typeof filePath === 'string' && isInside(temporaryPath, filePath);
    if (!isMade || isBelow(path.join(temporaryPath, 'backups'), path.resolve(filePath))) return result;
    const folder = taskFilesOf(storagePath, app);
    const own = path.join(folder, path.basename(filePath));
    await mkdir(folder, { recursive: true });
    await moveAcross(filePath, own);
    return { ...(result as object), filePath: own };
  }

  return {
    afterLoad: (app) => {
      const type = ['async-task-manager', 'task-type', 'TaskType'] as const;
      guardPlugin(app, host, type, ['run'], async (original, args, { name }, self) => {
        const task = self as { execute(): Promise<unknown> };
        const execute = task.execute.bind(task);
        task.execute = async () => keep(await execute(), name);
        return original(...args);
      });
      const folders = [taskFilesOf(storagePath, app.name), backupsOf(temporaryPath, app.name)];
      async function confineTaskFiles(ctx: GuardedContext, next: () => Promise<unknown>): Promise<void> {
        await next();
        if (ctx.action?.resourceName !== 'asyncTasks' || !(ctx.body instanceof ReadStream)) return;
        const file = ctx.body;
        if (folders.some((folder) => isInside(folder, String(file.path)))) return;
        // Its end or a missing file must not be answered any more.
        file.removeAllListeners('error').on('error', () => undefined);
        file.destroy();
        for (const header of ['Content-Type', 'Content-Disposition']) ctx.remove?.(header);
        refuse(ctx, new AppSupervisorError('TASK_FILE'));
      }
      app.resourceManager.use(confineTaskFiles, { tag: 'appSupervisorTaskFiles', before: 'validate-filter-params' });
    },
  };
};
