// Everything this device asks for that changes something: kept on the device first, sent under one key however often,
// and shown in words that promise no more than is true.

import { nodes, Refused, Unreachable, wantsFactor } from './nodes.svelte';
import * as store from './store';
import { seal, unseal, type Sealed } from './store';

/** How long an answer can be taken back, ms. */
export const UNDO = 5_000;
/** While nobody answers, the text message is offered after this, ms. */
export const OFFER_SMS = 20_000;

export type Stored = { durability: 'replicated' | 'island'; index: number; changed: boolean; number?: string; id?: string };

export type State = 'waiting' | 'saved' | 'sending' | 'stored' | 'refused';

export type Operation = {
  id: string;
  made: number;
  /** What it is about, to find it again: `answer:118`. */
  about: string;
  method: string;
  path: string;
  body: unknown;
  urgent: boolean;
  /** Not sent before this, ms: it can be taken back until then. */
  after: number;
  state: State;
  node?: string;
  stored?: Stored;
  refusal?: string;
};

type Kept = { id: string; sealed: Sealed };

class Outbox {
  operations: Operation[] = $state([]);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushing = false;

  /** Operations that are not stored by a node yet. */
  get waiting(): Operation[] {
    return this.operations.filter((operation) => operation.state !== 'stored' && operation.state !== 'refused');
  }

  about(about: string): Operation | undefined {
    return this.operations.findLast((operation) => operation.about === about);
  }

  /** Of what was asked for about this: what has not been stored, and the newest. What was done before stands in the log. */
  standing(about: string): Operation[] {
    const all = this.operations.filter((operation) => operation.about === about);
    return all.filter((operation, index) => operation.state !== 'stored' || index === all.length - 1);
  }

  async start(): Promise<void> {
    const kept = await store.all<Kept>('outbox');
    const opened = await Promise.all(kept.map(({ id, sealed }) => unseal<Operation>(sealed, id)));
    this.operations = opened.filter((operation) => operation !== undefined).sort((a, b) => a.made - b.made);
    for (const operation of this.waiting) operation.state = 'saved';
    addEventListener('online', () => void this.flush());
    addEventListener('pagehide', () => void this.flush(true));
    document.addEventListener('visibilitychange', () => void this.flush(document.visibilityState === 'hidden'));
    void this.flush();
  }

  /** Takes something on. Resolves once it is on this device's disk. */
  async add(wish: Pick<Operation, 'about' | 'method' | 'path' | 'body'> & { urgent?: boolean; undo?: boolean }): Promise<Operation> {
    const now = Date.now();
    const operation: Operation = {
      id: crypto.randomUUID(),
      made: now,
      about: wish.about,
      method: wish.method,
      path: wish.path,
      body: wish.body,
      urgent: wish.urgent ?? false,
      after: wish.undo ? now + UNDO : now,
      state: 'waiting',
    };
    // What was said before about the same and has not left is overtaken.
    for (const earlier of this.operations.filter((known) => known.about === wish.about && known.state === 'waiting')) await this.drop(earlier);
    this.operations.push(operation);
    await this.#keep(operation);
    this.#plan();
    return this.operations.find((known) => known.id === operation.id)!;
  }

  /** Takes something back that has not left. */
  async drop(operation: Operation): Promise<void> {
    this.operations = this.operations.filter((known) => known.id !== operation.id);
    await store.remove('outbox', operation.id);
  }

  /** Sends what waits, in order. `now` also what could still be taken back: the app is being closed. */
  async flush(now = false): Promise<void> {
    if (this.#flushing || !nodes.credential) return;
    this.#flushing = true;
    try {
      const due = this.waiting.filter((operation) => operation.after <= Date.now() || now);
      for (const operation of due) {
        if (await this.#send(operation)) continue;
        // Nobody answers: what comes after it waits as well, and says so.
        for (const other of due) if (other.state === 'waiting') other.state = 'saved';
        break;
      }
    } finally {
      this.#flushing = false;
      this.#plan();
    }
  }

  /** Sends one operation; says whether somebody answered. */
  async #send(operation: Operation): Promise<boolean> {
    operation.state = 'sending';
    try {
      const answer = await nodes.ask<Stored>(operation.method, operation.path, operation.body, { idempotencyKey: operation.id, urgent: operation.urgent });
      [operation.state, operation.node, operation.stored] = ['stored', answer.node, answer.body];
    } catch (error) {
      const closed = error instanceof Refused && error.problem.status < 500 && error.problem.status !== 401 && error.problem.status !== 429;
      // Waits until its owner shows who they are; what comes after it does not wait for that.
      if (error instanceof Refused && wantsFactor(error.problem)) {
        operation.state = 'saved';
        return true;
      }
      if (!closed) {
        operation.state = 'saved';
        if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
        return false;
      }
      [operation.state, operation.refusal] = ['refused', error.problem.detail];
    }
    await store.remove('outbox', operation.id);
    // Long enough to be read.
    setTimeout(() => void this.drop(operation), operation.state === 'refused' ? 60_000 : 20_000);
    return true;
  }

  #plan(): void {
    clearTimeout(this.#timer);
    if (this.waiting.length === 0) return;
    // New ones as soon as they may leave; those that found nobody again and again, not all devices at once.
    const again = 3_000 + Math.random() * 2_000;
    const waits = this.waiting.map((operation) => (operation.state === 'waiting' ? Math.max(0, operation.after - Date.now()) : again));
    this.#timer = setTimeout(() => void this.flush(), Math.min(...waits));
  }

  async #keep(operation: Operation): Promise<void> {
    const during = store.life();
    await store.put('outbox', operation.id, { id: operation.id, sealed: await seal($state.snapshot(operation), operation.id, during) } satisfies Kept, during);
  }
}

export const outbox = new Outbox();
