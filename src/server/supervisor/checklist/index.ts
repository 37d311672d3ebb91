import { CHECKLIST_LEVELS, type ChecklistRow } from '../../../shared/checklist';
import { CHECKS, type Check } from './checks';
import type { ChecklistFacts } from './facts';

/** The security checklist by these facts: red rows first, otherwise in the order of the checks. */
export function checklistOf(facts: ChecklistFacts, checks: Check[] = CHECKS): ChecklistRow[] {
  const rows = checks.flatMap(({ code, find }): ChecklistRow[] => {
    const findings = find(facts);
    if (!findings) return [];
    if (!findings.length) return [{ check: code, level: 'ok', code }];
    return findings.map(({ text, ...finding }) => ({ check: code, ...text, ...finding }));
  });
  return CHECKLIST_LEVELS.flatMap((level) => rows.filter((row) => row.level === level));
}
