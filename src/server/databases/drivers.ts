import { say } from '../../shared/message';
import { AppSupervisorError } from '../errors';

/**
 * The host's own database drivers. They are loaded when first needed, as the core does (app-supervisor/db-drivers.ts),
 * since an installation has those of its dialect only; all of them load and connect after SES lockdown too
 * (__tests__/integration/databases.lockdown.test.ts). They stay external in the bundle.
 */
export const loadPg = () => load('pg', () => import('pg'));
export const loadMariadb = () => load('mariadb', () => import('mariadb'));
export const loadMysql = () => load('mysql2', () => import('mysql2/promise'));
export const loadSqlite = () => load('sqlite3', () => import('sqlite3'));

async function load<T>(name: string, from: () => Promise<T>): Promise<T> {
  try {
    const module = (await from()) as T & { default?: unknown };
    // A CommonJS module comes as `default` from a real `import()`, and possibly bare from a bundler's.
    return (module.default ?? module) as T;
  } catch (error) {
    if (!/MODULE_NOT_FOUND/.test(String((error as { code?: unknown }).code))) throw error;
    throw new AppSupervisorError('DATABASE_DIALECT', { dialect: name, why: say('DRIVER_MISSING', { driver: name }) });
  }
}
