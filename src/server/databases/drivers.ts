import { say } from '../../shared/message';
import { AppSupervisorError } from '../errors';

/**
 * The host's own database drivers. They are loaded on first use, as in the core (app-supervisor/db-drivers.ts), because
 * an installation has only those of its dialect. All of them also load and connect after SES lockdown
 * (__tests__/integration/databases.lockdown.test.ts). They stay external in the bundle.
 */
export const loadPg = () => load('pg', () => import('pg'));
export const loadMariadb = () => load('mariadb', () => import('mariadb'));
export const loadMysql = () => load('mysql2', () => import('mysql2/promise'));
export const loadSqlite = () => load('sqlite3', () => import('sqlite3'));

async function load<T>(name: string, from: () => Promise<T>): Promise<T> {
  try {
    const module = (await from()) as T & { default?: unknown };
    // A real `import()` returns a CommonJS module as `default`; a bundler may return it directly.
    return (module.default ?? module) as T;
  } catch (error) {
    if (!/MODULE_NOT_FOUND/.test(String((error as { code?: unknown }).code))) throw error;
    throw new AppSupervisorError('DATABASE_DIALECT', { dialect: name, why: say('DRIVER_MISSING', { driver: name }) });
  }
}
