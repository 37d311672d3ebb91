import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appNameFor } from '../../src/shared/app-name';
import { isAppName } from '../../src/shared/names';

const title = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme-ascii' }), fc.string());
const alike = (name: string) => name.toLowerCase().replaceAll('_', '-');

describe('the identifier of a new app', () => {
  it.each([
    ['Customers', 'customers'],
    ['  Order   Management (EU) ', 'order-management-eu'],
    ['Straße & Café', 'strasse-cafe'],
    ['2024 Budget', 'budget'],
    ['客户 CRM', 'crm'],
    ['ＣＲＭ', 'crm'],
    ['The customer relationship management of the northern region', 'the-customer-relationship'],
    ['Donaudampfschifffahrtsgesellschaftskapitän', 'donaudampfschifffahrtsgesellsc'],
  ])('%s becomes %s', (given, name) => {
    expect(appNameFor(given, [], 'seed')).toBe(name);
  });

  it.each([
    ['Customers', ['CUSTOMERS', 'customers-2'], 'customers-3'],
    ['order management', ['order_management'], 'order-management-2'],
    ['Main', [], 'main-2'],
  ])('%s, which %s have, becomes %s', (given, taken, name) => {
    expect(appNameFor(given, taken, 'seed')).toBe(name);
  });

  it('is a short word that can be said where the title has no Latin letter', () => {
    const words = ['档案', 'Ждать', '2024', '🙂', ''].map((given) => appNameFor(given, [], 'seed'));
    for (const word of words) expect(word).toMatch(/^(?:[bdklmnrtv][aeiou]){3}$/);
    expect(appNameFor('档案', [], 'another seed')).not.toBe(words[0]);
  });

  it('is valid, taken by nobody, and the same for the same title and seed', () => {
    fc.assert(
      fc.property(title, fc.string(), fc.nat({ max: 30 }), (given, seed, others) => {
        const taken: string[] = [];
        for (let i = 0; i <= others; i++) {
          const name = appNameFor(given, taken, seed);
          expect(isAppName(name)).toBe(true);
          expect(taken.map(alike)).not.toContain(alike(name));
          expect(appNameFor(given, taken, seed)).toBe(name);
          // Others write it in their own way.
          taken.push(i % 2 ? name.toUpperCase() : name.replaceAll('-', '_'));
        }
      }),
    );
  });
});
