// Why something that was asked for was not done, in words for whoever asked.

import { t } from './i18n.svelte';
import { Refused } from './nodes.svelte';

/** A node's own words when one refused; that none answers otherwise. */
export const why = (error: unknown): string => (error instanceof Refused ? error.problem.detail : t('sign_in.nobody'));
