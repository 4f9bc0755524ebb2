// A newer version of the app: fetched in the background, taken when the person says so, never during an open incident.

class Update {
  ready = $state(false);
  #registration: ServiceWorkerRegistration | undefined;

  async start(): Promise<void> {
    if (!('serviceWorker' in navigator) || import.meta.env.DEV) return;
    // Scripts have to be named by a policy that the page's rules know (SECURITY §2.5).
    const policy = window.trustedTypes?.createPolicy('holdfast-sw', { createScriptURL: (url: string) => (url === '/sw.js' ? url : '') });
    const url = policy ? (policy.createScriptURL('/sw.js') as unknown as string) : '/sw.js';
    let replaced = navigator.serviceWorker.controller !== null;
    navigator.serviceWorker.addEventListener('controllerchange', () => {
      // The first one takes over quietly; a later one means that somebody asked for it.
      if (replaced) location.reload();
      replaced = true;
    });
    try {
      this.#registration = await navigator.serviceWorker.register(url);
    } catch {
      return;
    }
    const look = () => (this.ready = this.#registration?.waiting !== null && this.#registration?.waiting !== undefined && navigator.serviceWorker.controller !== null);
    look();
    this.#registration?.addEventListener('updatefound', () => {
      this.#registration?.installing?.addEventListener('statechange', look);
    });
    setInterval(() => void this.#registration?.update().catch(() => undefined), 3_600_000);
  }

  take(): void {
    this.#registration?.waiting?.postMessage('take-over');
  }
}

export const update = new Update();

declare global {
  interface Window {
    trustedTypes?: { createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): unknown } };
  }
}
