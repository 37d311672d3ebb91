import { say } from '../../shared/message';
import { AppSupervisorError } from '../errors';

/**
 * Loads a database driver of the host. It is loaded on first use, as in the core (app-supervisor/db-drivers.ts), because
 * an installation has only the driver of its dialect. All drivers also load and connect after SES lockdown
 * (__tests__/integration/databases.lockdown.test.ts). They stay external in the bundle.
 *
 * @throws DATABASE_DIALECT if the host does not have the driver
 */
export async function loadDriver<T>(name: string, from: () => Promise<T>): Promise<T> {
  try {
    const module = (await from()) as T & { default?: unknown };
    // A real `import()` returns a CommonJS module as `default`; a bundler may return it directly.
    return (module.default ?? module) as T;
  } catch (error) {
    if (!/MODULE_NOT_FOUND/.test(String((error as { code?: unknown }).code))) throw error;
    throw new AppSupervisorError('DATABASE_DIALECT', { dialect: name, why: say('DRIVER_MISSING', { driver: name }) });
  }
}
