import { checklistOf } from '../checklist';
import { gatherFacts } from '../checklist/facts';
import type { ActionContext, Answer } from './action';

/** What the Overview shows, from memory. */
export async function summary({ supervisor }: ActionContext): Promise<Answer> {
  return { data: supervisor.parts.summary.get() };
}

/** The last hour of each environment. */
export async function load({ supervisor }: ActionContext): Promise<Answer> {
  return { data: supervisor.parts.load.load() };
}

/** What holds here and now of what makes a fleet safe. */
export async function checklist({ supervisor }: ActionContext): Promise<Answer> {
  return { data: checklistOf(gatherFacts(supervisor.parts, supervisor.own())) };
}
