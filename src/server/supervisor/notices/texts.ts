import type { Event } from '../../../shared/event';
import { type Message, say } from '../../../shared/message';
import type { Phase } from '../../../shared/notice';
import { inLanguage } from '../../errors';

/** What people read of events. */

/** Events that are named in one message; of the others it says how many there are. */
const MOST_NAMED = 10;
/** In characters: causes come from other programs. */
const LONGEST_LINE = 500;
const LONGEST_TITLE = 120;

export interface ToldEvent {
  event: Event;
  phase: Phase;
}

const shortened = (text: string, longest: number) => (text.length > longest ? `${text.slice(0, longest)}…` : text);

/** How long it took, such as `3 min`. */
export function lengthOf(ms: number): Message {
  if (ms < 60_000) return say('SECONDS', { count: Math.max(1, Math.round(ms / 1_000)) });
  if (ms < 120 * 60_000) return say('MINUTES', { count: Math.round(ms / 60_000) });
  return say('HOURS', { count: Math.round(ms / 3_600_000) });
}

/** One event as a sentence. */
export function sentenceOf({ event, phase }: ToldEvent): Message {
  const { message, at, endedAt } = event;
  return phase === 'over' ? say('NOTICE_OVER', { event: message, length: lengthOf((endedAt ?? at) - at) }) : message;
}

export interface NoticeText {
  title: string;
  content: string;
}

/**
 * @param events at least one
 * @param link address of the page Activity, as a last line; null: none
 */
export function noticeText(events: readonly ToldEvent[], language: string, link: string | null): NoticeText {
  const t = (message: Message) => inLanguage(language, message);
  const lineOf = (told: ToldEvent) => {
    const { cause } = told.event;
    return shortened([t(sentenceOf(told)), ...(cause ? [t(cause)] : [])].join(' '), LONGEST_LINE);
  };
  const [first] = events;
  const title = events.length === 1 ? t(sentenceOf(first)) : t(say('NOTICE_SEVERAL', { count: events.length }));
  const named = events.slice(0, MOST_NAMED).map(lineOf);
  const others = events.length - named.length;
  const lines = events.length === 1 ? named : named.map((line) => `- ${line}`);
  const rest = [...(others ? [t(say('NOTICE_OTHERS', { count: others }))] : []), ...(link ? [link] : [])];
  return { title: shortened(title, LONGEST_TITLE), content: [...lines, ...rest].join('\n') };
}

export function testText(language: string): NoticeText {
  return { title: inLanguage(language, say('NOTICE_TEST_TITLE')), content: inLanguage(language, say('NOTICE_TEST')) };
}
