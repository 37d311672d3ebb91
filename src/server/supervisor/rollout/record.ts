import { APP, withoutPasswords } from '../../../shared/app';
import { defaultsIn, pickIn } from '../../../shared/fields';
import type { AppRecord } from '../../../shared/messages';
import type { AppDefinition, Published } from '../definitions/repository';
import { isKeptOut } from './spec';
import { isAhead } from './uploads';

/**
 * The record of an app for an environment. Records are made here alone, and with them is decided which secrets of an app an environment
 * gets. A Worker may report what it likes, and each report of an app leads to a record that removes it:
 * - where the app is to run or rest, because an operation placed it there: all of them, and the first administrator only where it installs;
 * - where uploads are copied ahead of a move: none but the key for these uploads, because the app is placed there only when they are there;
 * - where it is removed: none, but where its data are to be dropped or released the password with which that is done.
 */
export function recordFor(app: AppDefinition, wish: Published): AppRecord {
  if (wish.desired === 'removed') return removalOf(app, wish);
  const { stray: _, sentTo: __, ...published } = wish;
  const access = accessOf(app);
  const isPlaced = !isAhead(wish);
  return {
    ...pickIn(APP, 'record', app),
    // Up to 48 KB, and a Worker shows no icon but those of the app index. Workers before 0.3.0 expect the field.
    icon: null,
    paused: isKeptOut(app) ? app.paused : null,
    database: isPlaced ? access : withoutPasswords(access),
    jwtSecret: isPlaced ? app.jwtSecret : null,
    ...(app.sso ? { sso: app.sso } : {}),
    ...(app.initialAdmin && wish.provision === 'create' && isPlaced ? { initialAdmin: app.initialAdmin } : {}),
    ...published,
  };
}

const accessOf = ({ database: { renewsPassword: _, ...access } }: Pick<AppDefinition, 'database'>) => access;

/** Name, uid, generation and the removal; what else a record has says nothing. How the data are reached, a Worker that has the app knows. */
function removalOf({ name, uid, database }: AppDefinition, { generation, data }: Published): AppRecord {
  return {
    ...defaultsIn(APP, 'record'),
    name,
    uid,
    title: name,
    sort: 0,
    database: data === 'keep' ? { dbConnType: 'new_database' } : accessOf({ database }),
    generation,
    boot: { generation: 0, how: 'start' },
    desired: 'removed',
    provision: 'none',
    data,
  };
}
