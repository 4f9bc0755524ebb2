// How the app looks on this device, and its keys. Kept in `localStorage`: it must hold before the first paint.

type Theme = 'auto' | 'light' | 'dark';

class Look {
  theme: Theme = $state((localStorage.getItem('theme') as Theme | null) ?? 'auto');
  contrast = $state(localStorage.getItem('contrast') === 'more' || matchMedia('(prefers-contrast: more)').matches);
  /** Single keys as shortcuts; can be turned off (WCAG 2.1.4). */
  keys = $state(localStorage.getItem('keys') !== 'off');

  apply(): void {
    document.documentElement.dataset['theme'] = this.theme;
    document.documentElement.dataset['contrast'] = this.contrast ? 'more' : 'normal';
  }

  set(change: Partial<{ theme: Theme; contrast: boolean; keys: boolean }>): void {
    Object.assign(this, change);
    localStorage.setItem('theme', this.theme);
    localStorage.setItem('contrast', this.contrast ? 'more' : 'normal');
    localStorage.setItem('keys', this.keys ? 'on' : 'off');
    this.apply();
  }
}

export const look = new Look();
