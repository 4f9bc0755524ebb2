// Who uses this device. A session is bound to the device's key; a key of the API can stand in for wall boards and tools.

import * as device from './device';
import { events } from './events.svelte';
import { nodes, Refused } from './nodes.svelte';
import { outbox } from './outbox.svelte';
import * as store from './store';

type Guest = { room: string; expires_at: string };
type Unit = { key: string; name: string };

export type Me = {
  /** What to call them. */
  name: string;
  /** Key of the person they are, for answers; none for a wall board. */
  person: string | null;
  roles: string[];
  /** What the roles allow; null for a key, whose scopes only the nodes know. */
  permissions: string[] | null;
  /** What they allow for what concerns the person. */
  own?: string[];
  /** Nothing is allowed yet but to add a factor. */
  mustEnrol?: boolean;
  /** The cluster is not set up yet, and they are to go on with that. */
  setsUp?: boolean;
  /** Somebody from outside: the room they are let into, and until when. */
  guest?: Guest | null;
  /** The unit of the organisation they are limited to. */
  unit?: Unit | null;
};

type Who = { account: string; name?: string; person?: { key: string; name: string } | null; roles?: string[]; permissions?: string[]; own_permissions?: string[]; must_enrol?: boolean; sets_up?: boolean; guest?: Guest | null; unit?: Unit | null };

export type Entered = { token: string };
export type Attempt = { attempt: string; next: string[] };

class Session {
  /** `starting` until it is known whether somebody is signed in here, and while a device forgets who was. */
  state: 'starting' | 'out' | 'in' = $state('starting');
  me: Me | null = $state(null);
  /** Signed out by the cluster, not by the person: said on the sign-in screen. */
  ended = $state(false);

  async start(): Promise<void> {
    await nodes.start();
    nodes.onRefused = () => void this.#over();
    nodes.onBack = () => void outbox.flush();
    if (nodes.credential) {
      this.me = (await store.get<Me>('keep', 'me')) ?? null;
      this.state = 'in';
      await this.#begin();
    } else {
      this.state = 'out';
      void nodes.probe();
    }
  }

  async signOut(): Promise<void> {
    if (nodes.credential?.kind === 'session') {
      try {
        await nodes.ask('DELETE', '/v1/session');
      } catch {
        // The device forgets in any case; the session ends by its own time, or from another device.
      }
    }
    await this.#forget();
  }

  /** Goes in with what a node answered; what is left to do, if a second factor is still to be shown. */
  async take(body: Attempt | Entered): Promise<Attempt | null> {
    if (!('token' in body)) return body;
    await nodes.signIn({ kind: 'session', token: body.token });
    await this.enter({ name: '', person: null, roles: [], permissions: [] });
    return null;
  }

  async enter(me: Me): Promise<void> {
    this.me = me;
    await store.put('keep', 'me', $state.snapshot(me));
    this.ended = false;
    this.state = 'in';
    await this.#begin();
  }

  async #begin(): Promise<void> {
    void navigator.storage?.persist?.();
    await outbox.start();
    void nodes.probe();
    if (nodes.credential?.kind === 'session') void this.#whoAmI();
    void events.run();
  }

  /** As whom to speak: who is signed in is known to the nodes, a key has to say it. */
  speaks(): { author?: string; person?: string } {
    if (nodes.credential?.kind === 'session' || !this.me?.name) return {};
    return { author: this.me.name, ...(this.me.person ? { person: this.me.person } : {}) };
  }

  /** Whether to offer something. Whether it is allowed, a node decides. */
  may(permission: string, options: { own?: boolean } = {}): boolean {
    if (!this.me?.permissions) return true;
    return this.me.permissions.includes(permission) || (options.own === true && (this.me.own ?? []).includes(permission));
  }

  /** Asks anew who this is: after a factor was added. */
  async refresh(): Promise<void> {
    await this.#whoAmI();
    events.again();
  }

  async #whoAmI(): Promise<void> {
    const during = store.life();
    try {
      const { body } = await nodes.get<Who>('/v1/session');
      if (during !== store.life()) return;
      this.me = { name: body.person?.name || body.name || body.account, person: body.person?.key ?? null, roles: body.roles ?? [], permissions: body.permissions ?? null, own: body.own_permissions ?? [], mustEnrol: body.must_enrol ?? false, setsUp: body.sets_up ?? false, guest: body.guest ?? null, unit: body.unit ?? null };
      await store.put('keep', 'me', $state.snapshot(this.me));
    } catch (error) {
      if (error instanceof Refused && error.problem.status === 401) return;
    }
  }

  /** A node no longer takes the credential: what it opened goes from this device. */
  async #over(): Promise<void> {
    if (this.state !== 'in') return;
    this.ended = true;
    await this.#forget(['device-key']);
  }

  /** `kept`: what stays besides the members. */
  async #forget(kept: string[] = []): Promise<void> {
    events.stop();
    nodes.credential = null;
    this.me = null;
    outbox.operations = [];
    this.state = 'starting';
    try {
      const stay = await Promise.all(['members', ...kept].map(async (name) => [name, await store.get('keep', name)] as const));
      await store.wipe();
      for (const [name, value] of stay) if (value) await store.put('keep', name, value);
    } finally {
      device.forgetKeys();
      // Not said before it is so.
      this.state = 'out';
    }
  }
}

export const session = new Session();
