// What changed, as it changes: one stream from whichever node answers, read by `fetch` because a proof goes in a header.

import { nodes } from './nodes.svelte';

export type Topic =
  | 'alerts' | 'deliveries' | 'rooms' | 'reports' | 'people' | 'duty'
  | 'templates' | 'sources' | 'cluster' | 'limits' | 'access';

/** A node that says nothing for this long is taken for gone, ms: it gives a sign of life every 15 s. */
const SILENCE = 40_000;
/** Whoever may not listen asks again this much later, ms: roles change. */
const NOT_ALLOWED = 60_000;

type Listener = (topics: Set<Topic>) => void;

class Events {
  /** Whether changes arrive by themselves; without, screens ask now and then. */
  live = $state(false);
  #listeners = new Set<Listener>();
  #after: { node: string; id: string } | undefined;
  #stop: AbortController | undefined;
  #running = false;
  #wake: (() => void) | undefined;
  #forbidden = false;
  /** A node asked to come back at once and show who this is. */
  #asked = false;

  hear(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(topics: Set<Topic>): void {
    for (const listener of this.#listeners) listener(topics);
  }

  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    let failures = 0;
    while (this.#running) {
      const heard = await this.#listen().catch(() => false);
      this.live = false;
      failures = heard ? 0 : failures + 1;
      const wait = this.#asked ? 50 : this.#forbidden ? NOT_ALLOWED : Math.min(8_000, 250 * 2 ** failures);
      this.#asked = false;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, wait / 2 + Math.random() * wait);
      });
    }
  }

  stop(): void {
    this.#running = false;
    this.#stop?.abort();
  }

  /** Comes back at once, on whichever node answers now. */
  again(): void {
    this.#stop?.abort();
    this.#wake?.();
  }

  /** Listens until the stream ends; says whether anything was heard. */
  async #listen(): Promise<boolean> {
    // A question finds a node that answers, and moves to another one when this one is gone.
    if (nodes.current === null || this.#after === undefined) await nodes.probe();
    const node = nodes.current;
    if (node === null || !nodes.credential) return false;
    const after = this.#after?.node === node ? `?after=${this.#after.id}` : '';
    const url = `${node}/v1/events`;
    const stop = (this.#stop = new AbortController());
    let silence = setTimeout(() => stop.abort(), SILENCE);
    try {
      const headers = await nodes.headers('GET', url);
      const response = await fetch(url + after, { headers, signal: stop.signal, credentials: 'omit', cache: 'no-store' });
      nodes.answered(node, response.headers);
      this.#forbidden = response.status === 403;
      if (!response.ok || !response.body) {
        this.#after = undefined;
        // Whether the credential is no good, an ordinary question finds out.
        if (response.status === 401) await nodes.get(nodes.credential?.kind === 'session' ? '/v1/session' : '/v1/alerts?limit=1').catch(() => undefined);
        return false;
      }
      this.live = true;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let buffer = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return true;
        clearTimeout(silence);
        silence = setTimeout(() => stop.abort(), SILENCE);
        const pieces = (buffer + value).split('\n\n');
        buffer = pieces.pop() ?? '';
        for (const piece of pieces) this.#take(node, piece);
      }
    } catch (error) {
      this.#after = undefined;
      // The node may have died under the stream: the next question finds out, and finds another one.
      if (!stop.signal.aborted || this.#running) await nodes.probe();
      throw error;
    } finally {
      clearTimeout(silence);
      stop.abort();
    }
  }

  #take(node: string, piece: string): void {
    const fields = new Map(piece.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
    const [id, data] = [fields.get('id'), fields.get('data')];
    if (id) this.#after = { node, id };
    this.#asked = fields.get('event') === 'again';
    // Also what `again` names: sessions and rights changed, and lists of them are looked at anew.
    if (data) this.tell(new Set((JSON.parse(data) as { topics: Topic[] }).topics));
  }
}

export const events = new Events();
