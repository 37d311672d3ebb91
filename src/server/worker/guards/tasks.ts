import type { HostConfig } from '../../config/core-settings';
import { AppSupervisorError } from '../../errors';
import { type Guard, guardPlugin } from './guard';

/**
 * Whether a command is of this app: it names the app, and no other one. Without a name it would run in the main app.
 *
 * @param argv of a stored task, which SQL can write
 */
export function isOfApp(argv: unknown, app: string): boolean {
  if (!Array.isArray(argv) || !argv.every((item) => typeof item === 'string')) return false;
  const named = argv.filter((item) => /^(?:--app|-a)(?:=|$)|^app:/.test(item));
  return named.length > 0 && named.every((item) => item === `--app=${app}`);
}

/** Background commands of an app run in the app. */
export const tasks = (host: HostConfig): Guard => ({
  afterLoad: (app) => {
    const type = ['async-task-manager', 'command-task-type', 'CommandTaskType'] as const;
    guardPlugin(app, host, type, ['execute'], async (original, args, { name }, self) => {
      const { record } = self as { record?: { params?: { argv?: unknown } } };
      if (!isOfApp(record?.params?.argv, name)) throw new AppSupervisorError('TASK_CHANGE');
      return original(...args);
    });
  },
});
