// What is asked of whoever looks, what else goes on, and the sound of a new critical alert: read once, for every screen.

import type { Alerts, OwnAlerts } from './api';
import type { Resource } from './resource.svelte';

class Alarms {
  /** Read by what is always in sight. */
  own: Resource<OwnAlerts> | undefined = $state.raw();
  list: Resource<Alerts> | undefined = $state.raw();
  /** How many are open, for whatever must not happen meanwhile. */
  open = $state(0);
  /** A critical alert that has been heard of and is sounding; none when stopped. */
  sounding: string | null = $state(null);
  #heard = new Set<string>();
  #looked = false;
  #tone: { context: AudioContext; stop: () => void } | undefined;

  /** Tells which critical alerts are unanswered, as a node says it (`live`) or this device kept it. Silent up to the first a node says: they are on the screen already. */
  look(critical: string[], live: boolean): void {
    const fresh = critical.find((id) => !this.#heard.has(id));
    const first = !this.#looked;
    this.#looked ||= live;
    for (const id of critical) this.#heard.add(id);
    if (fresh && !first) this.#sound(fresh);
    if (this.sounding && !critical.includes(this.sounding)) this.hush();
  }

  hush(): void {
    this.sounding = null;
    this.#tone?.stop();
    this.#tone = undefined;
  }

  #sound(id: string): void {
    this.hush();
    try {
      const context = new AudioContext();
      // Browsers stay silent until the page was touched once; then there is nothing to stop either.
      if (context.state !== 'running') return void context.close();
      const [tone, gain] = [context.createOscillator(), context.createGain()];
      gain.gain.value = 0;
      for (let beat = 0; beat < 30; beat += 1) {
        gain.gain.setValueAtTime(0.25, context.currentTime + beat);
        gain.gain.setValueAtTime(0, context.currentTime + beat + 0.45);
      }
      tone.frequency.value = 880;
      tone.connect(gain).connect(context.destination);
      tone.start();
      tone.stop(context.currentTime + 30);
      this.#tone = { context, stop: () => void context.close() };
      this.sounding = id;
      tone.onended = () => this.hush();
    } catch {
      // No sound here; what is to be seen says the same.
    }
  }
}

export const alarms = new Alarms();
