import { describe, expect, it } from 'vitest';
import { isEnglish } from '../support/english';

/** How the browser tests find English texts on Chinese pages. */
describe('a text of a Chinese page is English', () => {
  it.each([
    'Add app',
    'Stop "CRM"?',
    'Loading failed',
    'Not in the locale files at all',
    'Retry',
    '环境 env_a is down',
  ])('%s', (text) => {
    expect(isEnglish(text, [])).toBe(true);
  });

  it.each([
    '',
    '添加应用',
    'Worker env_a 已离线',
    '请设置 APP_SUPERVISOR_AES_SECRET_KEY',
    'http://localhost:15000/apps/crm/admin/',
    'crm.example.com',
    'worker-2:81',
    'machine:4711:9f86d0',
    '312 MB',
    'postgres',
    '2.2.15',
    'jwtSecret',
    'ada@example.com',
  ])('unless it is %s', (text) => {
    expect(isEnglish(text, [])).toBe(false);
  });

  it('unless it is data', () => {
    expect(isEnglish('订单 Orders and deliveries', [])).toBe(true);
    expect(isEnglish('订单 Orders and deliveries', ['Orders', 'Orders and deliveries'])).toBe(false);
    expect(isEnglish('角色 nocobase_worker', ['nocobase'])).toBe(false);
  });
});
