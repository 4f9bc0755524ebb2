// Who said what, counted once and shown alike everywhere.
import type { Called } from './api';

export type Part = { kind: 'yes' | 'help' | 'no' | 'normal' | 'none'; word: 'coming' | 'safe' | 'need_help' | 'cannot' | 'not_on_site' | 'received' | 'none'; n: number };

const KINDS = { coming: 'yes', safe: 'yes', need_help: 'help', cannot: 'no', not_on_site: 'no', received: 'normal', none: 'none' } as const;

export function tally(called: Called[], safety: boolean): Part[] {
  const order: Part['word'][] = safety ? ['safe', 'need_help', 'not_on_site', 'none'] : ['coming', 'need_help', 'cannot', 'received', 'none'];
  const counted = called.filter((call) => !call.withdrawn);
  return order
    .map((word) => ({ word, kind: KINDS[word], n: counted.filter((call) => (call.answer ?? 'none') === word).length }))
    .filter((part) => part.n > 0 || part.word === 'none' || part.kind === 'yes');
}

/** Those who are coming first, by when; then who needs something; the silent before those who said no. */
export function inOrder(called: Called[]): Called[] {
  const rank = (call: Called): number => (call.withdrawn ? 9 : ['need_help', 'coming', 'safe', 'received', null, 'cannot', 'not_on_site'].indexOf(call.answer ?? null));
  return [...called].sort((a, b) => rank(a) - rank(b) || (a.expected_at ?? '~').localeCompare(b.expected_at ?? '~') || a.person.name.localeCompare(b.person.name));
}
