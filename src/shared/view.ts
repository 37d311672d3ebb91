import { type Fields, type In, text } from './fields';
import { VIEW_ADDRESS } from './names';

/** Filters, sort and columns of the list of apps that a user has named. */
export const VIEW = {
  id: { type: text(), in: ['table', 'row'], column: { primaryKey: true } },
  /** Whose it is: nobody else sees it. */
  userId: { type: text(), in: ['table'], column: { index: true } },
  name: {
    type: text({ trim: true, min: [1, 'INPUT_REQUIRED'], max: [50] }),
    in: ['create', 'update', 'table', 'row'],
  },
  /** Parameters of the list's address, without `?`. */
  address: {
    type: text({ max: [4_000], pattern: [VIEW_ADDRESS, 'INPUT_VIEW_ADDRESS'], long: true }),
    in: ['create', 'update', 'table', 'row'],
  },
} as const satisfies Fields;

/** Most views of one user. */
export const MOST_VIEWS = 50;

export type ViewRow = In<typeof VIEW, 'row'>;
