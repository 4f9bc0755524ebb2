// Something shown: read from a node, kept for when none answers, and read again when it changed.

import { onDestroy, untrack } from 'svelte';
import { events, type Topic } from './events.svelte';
import { nodes, Refused, Unreachable, wantsFactor, type Problem } from './nodes.svelte';
import * as store from './store';
import { seal, unseal, type Sealed } from './store';

/** Without a stream, what is shown is asked for this often, ms. */
const POLL = 15_000;
/** What asks for its reader after a pause is read anew this often while somebody looks, ms: looking is no pause. */
const STAY = 5 * 60_000;
/** Kept things older than this are forgotten, ms. */
const KEEP = 7 * 24 * 3_600_000;

type Kept = { at: number; path: string; sealed: Sealed };

export class Resource<T> {
  data: T | undefined = $state.raw();
  /** When it was read from a node, ms; shown as its age when it comes out of the kit. */
  at: number | undefined = $state();
  /** From this device, because no node answered yet. */
  kept = $state(false);
  problem: Problem | undefined = $state.raw();
  #path: () => string | null;
  #keep: boolean;
  #asked = 0;
  #tried = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `pauses`: what people said, or how to reach them. While nobody looks it is not read, or no pause would ever be one. */
  constructor(path: () => string | null, topics: Topic[], options: { keep?: boolean; pauses?: boolean } = {}) {
    this.#path = path;
    this.#keep = options.keep ?? false;
    $effect(() => {
      // Only another path is a reason to read anew; what is read on the way is none.
      if (path() !== null) untrack(() => void this.read());
    });
    const seen = (): boolean => document.visibilityState === 'visible';
    const deaf = events.hear((touched) => {
      if (topics.some((topic) => touched.has(topic)) && (seen() || !options.pauses)) this.#soon(Math.random() * 150);
    });
    const poll = setInterval(() => {
      if (seen() && (!events.live || (options.pauses && Date.now() - this.#tried > STAY))) void this.read();
    }, POLL);
    const back = (): void => {
      if (options.pauses && seen()) void this.read();
    };
    document.addEventListener('visibilitychange', back);
    onDestroy(() => {
      deaf();
      document.removeEventListener('visibilitychange', back);
      clearInterval(poll);
      clearTimeout(this.#timer);
    });
  }

  #soon(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.read(), wait);
  }

  async read(): Promise<void> {
    const path = this.#path();
    if (path === null) return;
    const [asked, during] = [++this.#asked, store.life()];
    this.#tried = Date.now();
    if (this.#keep && this.data === undefined) {
      const found = await recall<T>(path);
      if (found && this.data === undefined && asked === this.#asked) {
        [this.data, this.at, this.kept] = [found.value, found.at, true];
      }
    }
    try {
      const { body } = await nodes.get<T>(path);
      // A later question overtook this one.
      if (asked !== this.#asked) return;
      [this.data, this.at, this.kept, this.problem] = [body, Date.now(), false, undefined];
      if (this.#keep) void remember(path, body, during);
    } catch (error) {
      if (asked !== this.#asked) return;
      if (error instanceof Refused) {
        this.problem = error.problem;
        // Nor is what is kept here shown before somebody showed who they are.
        if (wantsFactor(error.problem)) [this.data, this.kept] = [undefined, false];
      }
      else if (error instanceof Unreachable) this.kept = this.data !== undefined;
      else throw error;
    }
  }
}

/** Puts something that was come by during `during` into the offline kit. */
export async function remember(path: string, value: unknown, during = store.life()): Promise<void> {
  await store.put('kit', path, { at: Date.now(), path, sealed: await seal(value, path, during) } satisfies Kept, during);
}

export async function recall<T>(path: string): Promise<{ value: T; at: number } | undefined> {
  const kept = await store.get<Kept>('kit', path);
  if (!kept) return undefined;
  if (Date.now() - kept.at > KEEP) {
    await store.remove('kit', path);
    return undefined;
  }
  const value = await unseal<T>(kept.sealed, path);
  return value === undefined ? undefined : { value, at: kept.at };
}

/** What the kit holds, for people to see. */
export async function kitContents(): Promise<{ path: string; at: number }[]> {
  return (await store.all<Kept>('kit')).map(({ path, at }) => ({ path, at }));
}
