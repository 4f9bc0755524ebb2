// Asking the cluster: whichever node answers. The app is loaded from one node and must not die with it.

import { hasKey, noteServerTime, proof } from './device';
import * as store from './store';
import { unseal, seal, type Sealed } from './store';

/** How long one node may keep an ordinary question to itself before the next one is asked as well, ms. */
const STAGGER = 2_500;
/** The same for answers to alarms. */
const STAGGER_URGENT = 800;
/** How long a question may take in all, ms. */
const GIVE_UP = 15_000;
/** How often the app tries again while nobody answers, ms, with some chance added so that not all try at once. */
const PROBE = 4_000;

export type Credential = { kind: 'session'; token: string } | { kind: 'key'; key: string };

export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors?: { pointer: string; detail: string }[];
};

/** Whether a node wants to see again who this is before it does what was asked. */
export const wantsFactor = (problem: Problem | undefined): boolean => problem?.type?.endsWith(':factor-wanted') ?? false;

/** A node answered, and the answer is no. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** No node answered. */
export class Unreachable extends Error {}

export type Answer<T> = { body: T; node: string; asOf: string | null };

class Nodes {
  /** Origins of the members, the one that answered last first. */
  known: string[] = $state([location.origin]);
  /** The one that answered last; none while nobody does. */
  current: string | null = $state(null);
  /** Since when nobody answers, ms; null while somebody does. */
  silentSince: number | null = $state(null);
  /** Set when the answering node is cut off from the others: what people call its site. */
  island: string | null = $state(null);
  /** Whose sealed card somebody is in by, and until when: `helsinki; until=…`; `none` when nobody is. */
  glass: string | null = $state(null);
  credential: Credential | null = $state(null);
  /** Called when a node says that the credential is no good any more. */
  onRefused: (() => void) | undefined;
  /** Called when somebody answers again after nobody did. */
  onBack: (() => void) | undefined;
  #probing: ReturnType<typeof setTimeout> | undefined;

  async start(): Promise<void> {
    const kept = await store.get<string[]>('keep', 'members');
    if (kept) this.learn(kept);
    const sealed = await store.get<Sealed>('keep', 'credential');
    if (sealed) this.credential = (await unseal<Credential>(sealed, 'credential')) ?? null;
  }

  async signIn(credential: Credential): Promise<void> {
    const during = store.life();
    this.credential = credential;
    await store.put('keep', 'credential', await seal(credential, 'credential', during), during);
  }

  /** Adds members; the page's own origin and the one that answers stay in front. */
  learn(members: string[]): void {
    const all = [...new Set([this.current ?? location.origin, location.origin, ...this.known, ...members])];
    this.known = all.filter((origin) => members.includes(origin) || origin === location.origin);
    void store.put('keep', 'members', [...members]);
  }

  async get<T>(path: string): Promise<Answer<T>> {
    return this.ask<T>('GET', path);
  }

  /** The same for what is no JSON. */
  async text(path: string): Promise<string> {
    return (await this.ask<string>('GET', path, undefined, { plain: true })).body;
  }

  /** Asks one node after the other, the next while the one before is still silent, and takes the first answer. */
  async ask<T>(
    method: string,
    path: string,
    body?: unknown,
    options: { idempotencyKey?: string; urgent?: boolean; retried?: boolean; plain?: boolean; proven?: boolean } = {},
  ): Promise<Answer<T>> {
    const order = this.#order();
    const stop = new AbortController();
    const stagger = options.urgent ? STAGGER_URGENT : STAGGER;
    const deadline = setTimeout(() => stop.abort(), GIVE_UP);
    let refusal: unknown;
    try {
      return await new Promise<Answer<T>>((resolve, reject) => {
        let next = 0;
        let waiting = 0;
        let timer: ReturnType<typeof setTimeout> | undefined;
        const again = () => {
          clearTimeout(timer);
          const node = order[next++];
          if (node === undefined) {
            if (waiting === 0) reject(refusal ?? new Unreachable());
            return;
          }
          waiting += 1;
          timer = setTimeout(again, stagger);
          this.#askNode<T>(node, method, path, body, options, stop.signal)
            .then(resolve)
            .catch((error: unknown) => {
              waiting -= 1;
              // A node that is busy or cannot is asked no more; another one may. A plain no is everybody's.
              if (error instanceof Refused && error.problem.status < 500) return reject(error);
              if (error instanceof Refused) refusal = error;
              again();
            });
        };
        again();
      });
    } catch (error) {
      if (!(error instanceof Refused)) {
        this.#nobody();
        throw new Unreachable();
      }
      if (error.problem.status === 401 && this.credential) {
        // The proof may have been of the wrong time: by now the nodes' clock is known. Only a second no is believed.
        if (!options.retried) return this.ask<T>(method, path, body, { ...options, retried: true });
        this.onRefused?.();
      }
      // What is to be read asks in its own place; for what is to be done somebody is asked now, and it goes on.
      if (method !== 'GET' && wantsFactor(error.problem) && !options.proven && (await this.#prove())) return this.ask<T>(method, path, body, { ...options, proven: true });
      throw error;
    } finally {
      clearTimeout(deadline);
      stop.abort();
    }
  }

  /** Asks whoever looks at the screen to show who they are; says whether they did. */
  async #prove(): Promise<boolean> {
    return document.visibilityState === 'visible' && (await import('./prove')).ask();
  }

  /** Headers that say who asks, for one request to one node. */
  async headers(method: string, url: string): Promise<Record<string, string>> {
    const credential = this.credential;
    // A device that was signed in before shows that it is that one: tries from elsewhere do not keep it out.
    if (!credential) return url.includes('/v1/sign-in') && (await hasKey()) ? { dpop: await proof(method, url, '') } : {};
    if (credential.kind === 'key') return { authorization: `Bearer ${credential.key}` };
    return { authorization: `DPoP ${credential.token}`, dpop: await proof(method, url, credential.token) };
  }

  answered(node: string, headers: Headers): void {
    noteServerTime(headers.get('date'));
    this.island = headers.get('holdfast-island-site');
    this.glass = headers.get('holdfast-break-glass') ?? this.glass;
    const back = this.silentSince !== null;
    this.current = node;
    this.silentSince = null;
    if (back) this.onBack?.();
  }

  #order(): string[] {
    const first = this.current ?? this.known[0] ?? location.origin;
    return [first, ...this.known.filter((origin) => origin !== first)];
  }

  async #askNode<T>(node: string, method: string, path: string, body: unknown, options: { idempotencyKey?: string; plain?: boolean }, signal: AbortSignal): Promise<Answer<T>> {
    const url = node + path;
    const headers: Record<string, string> = await this.headers(method, url);
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (options.idempotencyKey) headers['idempotency-key'] = options.idempotencyKey;
    const sent: RequestInit = { method, headers, signal, credentials: 'omit', cache: 'no-store', redirect: 'error' };
    if (body !== undefined) sent.body = JSON.stringify(body);
    const response = await fetch(url, sent);
    const text = await response.text();
    let parsed: unknown;
    try {
      parsed = options.plain && response.ok ? text : text ? JSON.parse(text) : undefined;
    } catch {
      // Something that is no node answered: a captive portal, a proxy's page.
      throw new Unreachable();
    }
    this.answered(node, response.headers);
    if (!response.ok) throw new Refused(parsed as Problem);
    return { body: parsed as T, node, asOf: response.headers.get('holdfast-as-of') };
  }

  #nobody(): void {
    this.silentSince ??= Date.now();
    this.current = null;
    clearTimeout(this.#probing);
    this.#probing = setTimeout(() => void this.probe(), PROBE + Math.random() * PROBE);
  }

  /** Looks whether somebody answers. */
  async probe(): Promise<void> {
    try {
      const { body } = await this.get<{ members: string[] }>('/v1/about');
      this.learn(body.members);
    } catch {
      // Tried again by itself.
    }
  }
}

export const nodes = new Nodes();
