// Why something that was asked for was not done, in words for whoever asked.

import { t } from './i18n.svelte';
import { Refused } from './nodes.svelte';

/** A node's own words when one refused, field by field where it said so; that none answers otherwise. */
export function why(error: unknown): string {
  if (!(error instanceof Refused)) return t('sign_in.nobody');
  const fields = (error.problem.errors ?? []).map((one) => one.detail);
  return fields.length > 0 ? fields.join(' · ') : error.problem.detail;
}
