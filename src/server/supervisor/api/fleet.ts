import { checklistOf } from '../checklist';
import { gatherFacts } from '../checklist/facts';
import type { ActionContext, Answer } from './action';

/** What holds here and now of what makes a fleet safe. */
export async function checklist({ supervisor }: ActionContext): Promise<Answer> {
  return { data: checklistOf(gatherFacts(supervisor.parts, supervisor.own())) };
}
