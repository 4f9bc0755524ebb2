// Times as people read them. The clock of the page ticks once a second while somebody looks.

import { locale, t } from './i18n.svelte';

class Now {
  ms = $state(Date.now());
  constructor() {
    setInterval(() => {
      if (document.visibilityState === 'visible') this.ms = Date.now();
    }, 1_000);
  }
}

export const now = new Now();

/** `03:12`, or with the day when it is another one. */
export function clock(at: string | number | Date | null | undefined): string {
  if (at === null || at === undefined) return '';
  const date = new Date(at);
  const today = date.toDateString() === new Date(now.ms).toDateString();
  const options: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  return new Intl.DateTimeFormat(locale(), today ? options : { ...options, day: 'numeric', month: 'numeric' }).format(date);
}

export function day(at: string | number | Date, style: 'short' | 'long' = 'long'): string {
  return new Intl.DateTimeFormat(locale(), { weekday: style, day: 'numeric', month: style === 'long' ? 'long' : 'numeric' }).format(new Date(at));
}

/** `just now`, `4 min ago`, `2 h ago`. */
export function ago(at: string | number | null | undefined): string {
  if (at === null || at === undefined) return '';
  const seconds = Math.round((now.ms - new Date(at).getTime()) / 1_000);
  if (seconds < 10) return t('time.now');
  const format = new Intl.RelativeTimeFormat(locale(), { style: 'short' });
  if (seconds < 60) return format.format(-seconds, 'second');
  if (seconds < 3_600) return format.format(-Math.floor(seconds / 60), 'minute');
  if (seconds < 86_400) return format.format(-Math.floor(seconds / 3_600), 'hour');
  return format.format(-Math.floor(seconds / 86_400), 'day');
}

/** `40 s`, `4 min`, `2 h`: a length. */
export function length(seconds: number): string {
  const [value, unit] = seconds < 90 ? [seconds, 'second'] : seconds < 5_400 ? [seconds / 60, 'minute'] : [seconds / 3_600, 'hour'];
  return new Intl.NumberFormat(locale(), { style: 'unit', unit: unit as string, unitDisplay: 'short', maximumFractionDigits: 0 }).format(value as number);
}
