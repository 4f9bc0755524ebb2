// What somebody began to write: kept on the device, encrypted like everything else there, until it is said or given up.

import { onDestroy } from 'svelte';
import { recall, remember } from './resource.svelte';
import * as store from './store';

/** After the last key, ms. */
const REST = 400;

export class Draft<T> {
  /** When it was written, ms; none while there is none. */
  at: number | undefined = $state();
  #name: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pending: (() => Promise<void>) | undefined;

  /** `name` says of what it is the draft. */
  constructor(name: string) {
    this.#name = `draft:${name}`;
    const leaving = (): void => void this.#write();
    addEventListener('pagehide', leaving);
    document.addEventListener('visibilitychange', leaving);
    onDestroy(() => {
      leaving();
      removeEventListener('pagehide', leaving);
      document.removeEventListener('visibilitychange', leaving);
    });
  }

  async read(): Promise<T | undefined> {
    const kept = await recall<T>(this.#name);
    this.at = kept?.at;
    return kept?.value;
  }

  keep(value: T): void {
    clearTimeout(this.#timer);
    const during = store.life();
    this.#pending = () => remember(this.#name, value, during);
    this.#timer = setTimeout(() => void this.#write(), REST);
  }

  async drop(): Promise<void> {
    clearTimeout(this.#timer);
    [this.at, this.#pending] = [undefined, undefined];
    await store.remove('kit', this.#name);
  }

  async #write(): Promise<void> {
    clearTimeout(this.#timer);
    const write = this.#pending;
    this.#pending = undefined;
    await write?.();
  }
}
