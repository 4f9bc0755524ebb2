// Asking whoever looks at the screen to show again who they are, before something is done.

import { mount, unmount } from 'svelte';
import ProveDialog from '../ui/ProveDialog.svelte';

/** Whoever declined is not asked again for so long, ms, by what tries again by itself. */
const DECLINED = 60_000;

let asking: Promise<boolean> | undefined;
let declined = Number.NEGATIVE_INFINITY;

/** Says whether they did. However many ask at once, there is one question. */
export function ask(): Promise<boolean> {
  if (performance.now() - declined < DECLINED) return Promise.resolve(false);
  asking ??= new Promise<boolean>((resolve) => {
    const done = (proved: boolean): void => {
      if (!proved) declined = performance.now();
      asking = undefined;
      resolve(proved);
      void unmount(dialog);
    };
    const dialog: Record<string, unknown> = mount(ProveDialog, { target: document.body, props: { done } });
  });
  return asking;
}
