import { newViewInput, viewInput } from '../definitions/input';
import { type ActionContext, action } from './action';

/** Whose views these are. Whoever is nobody has views with all others who are nobody. */
const owner = ({ userId }: ActionContext): string => userId ?? '';
const ONE_VIEW = { filterByTk: 'Id of the view.' };

/** Only the caller's own ones. */
export const VIEWS = {
  list: action({
    summary: "The caller's saved views of the list of apps",
    reads: 'get',
    gives: 'The views, by name.',
    rows: ['appSupervisorView'],
    work: async (context) => ({ data: await context.parts.views.list(owner(context)) }),
  }),
  create: action({
    summary: 'Save a view of the list of apps for the caller',
    body: newViewInput,
    gives: 'The view.',
    rows: 'appSupervisorView',
    work: async (context) => ({ data: await context.parts.views.create(owner(context), context.input) }),
  }),
  update: action({
    summary: "Rename one of the caller's views, or save another address in it",
    query: ONE_VIEW,
    body: viewInput,
    gives: 'The view.',
    rows: 'appSupervisorView',
    errors: ['UNKNOWN_VIEW'],
    work: async (context) => ({
      data: await context.parts.views.update(owner(context), context.name, context.input),
    }),
  }),
  destroy: action({
    summary: "Delete one of the caller's views",
    query: ONE_VIEW,
    gives: 'Its id.',
    errors: ['UNKNOWN_VIEW'],
    async work(context) {
      await context.parts.views.destroy(owner(context), context.name);
      return { data: context.name };
    },
  }),
};
