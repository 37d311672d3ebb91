import { describe, expect, it } from 'vitest';
import { APP } from '../../src/shared/app';
import { keysIn } from '../../src/shared/fields';
import { say, verbatim } from '../../src/shared/message';
import { installingOf } from '../../src/ui/apps/installing';
import { sectionOf } from '../../src/ui/apps/sections';

describe('the progress of an installation', () => {
  it.each([
    ['before install plugin [users], 46/78', { done: 46, total: 78 }],
    ['after install plugin [users], 46/78', { done: 46, total: 78 }],
    ['before load plugin [users], 46/78', null],
    ['starting app', null],
  ])('%s', (text, expected) => {
    expect(installingOf({ message: verbatim(text) })).toEqual(expected);
  });

  it('is none where a message says something else', () => {
    expect(installingOf({})).toBeNull();
    expect(installingOf({ message: say('STATUS_DISCONNECTED') })).toBeNull();
  });
});

it('every field of a new app that is not in sight has a section, which is unfolded where it has a problem', () => {
  const sections = keysIn(APP, 'form').map((field) => [field, sectionOf([field])]);
  expect(sections.filter(([, section]) => section === null).map(([field]) => field)).toEqual(
    expect.arrayContaining(['title', 'name', 'environments', 'targetEnvironment']),
  );
  expect(sectionOf(['options', 'sso', 'enabled'])).toBe('sso');
  expect(sectionOf(['options', 'database', 'host'])).toBe('database');
  expect(sectionOf(['initialAdmin', 'password'])).toBe('administrator');
  expect(sectionOf(['cname'])).toBe('upgrade');
});
