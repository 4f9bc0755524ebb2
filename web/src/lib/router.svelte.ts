// Which screen stands at which address.

const SCREENS = ['now', 'incident', 'incidents', 'send', 'duty', 'people', 'channels', 'cluster', 'devices', 'settings', 'setup', 'wall', 'accounts', 'evidence', 'sign-in'] as const;
export type Screen = (typeof SCREENS)[number];

class Router {
  screen: Screen = $state('now');
  /** What follows the screen's name: an incident's number, an account's name. */
  part = $state('');
  query = $state(new URLSearchParams());

  constructor() {
    this.#read();
    addEventListener('popstate', () => this.#read());
    // Plain links stay links: they can be opened in another tab, and are followed here without loading the page anew.
    document.addEventListener('click', (event) => {
      const link = event.target instanceof Element ? event.target.closest('a') : null;
      const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey && !event.defaultPrevented;
      if (!link || !plain || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
      if (link.hash && link.pathname === location.pathname) return;
      event.preventDefault();
      this.go(link.pathname + link.search);
    });
  }

  go(path: string, options: { replace?: boolean } = {}): void {
    history[options.replace ? 'replaceState' : 'pushState'](null, '', path);
    this.#read();
    scrollTo(0, 0);
    // Whoever reads with a screen reader or by keys begins at the new screen's heading.
    requestAnimationFrame(() => document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true }));
  }

  #read(): void {
    const [, first = '', part = ''] = location.pathname.split('/');
    this.screen = SCREENS.find((screen) => screen === first) ?? 'now';
    this.part = decodeURIComponent(part);
    this.query = new URLSearchParams(location.search);
  }
}

export const router = new Router();
