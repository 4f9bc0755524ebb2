// Words for people: one file of data per language in `locales/`, all with the same keys.

import type en from '../../locales/en.json';
import * as store from './store';

type Plural = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };
type Catalogue = Record<string, string | Plural>;
export type Key = keyof typeof en;

/** Languages there are, each by the name its speakers give it. */
export const LANGUAGES = { en: 'English', fi: 'Suomi', sv: 'Svenska', fr: 'Français', ja: '日本語' } as const;
export type Language = keyof typeof LANGUAGES;

const files = import.meta.glob<string>('../../locales/*.json', { query: '?url', import: 'default', eager: true });

class Words {
  language: Language = $state('en');
  #catalogue: Catalogue = $state.raw({});

  async start(): Promise<void> {
    const wished = await store.get<Language>('keep', 'language');
    const offered = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag): tag is Language => tag in LANGUAGES);
    await this.use(wished ?? offered ?? 'en');
  }

  async choose(language: Language): Promise<void> {
    await store.put('keep', 'language', language);
    await this.use(language);
  }

  async use(language: Language): Promise<void> {
    try {
      const file = await fetch(files[`../../locales/${language}.json`]!);
      this.#catalogue = (await file.json()) as Catalogue;
      this.language = language;
    } catch {
      // Not kept on this device and no node to fetch it from: the language before stays.
    }
    document.documentElement.lang = this.language;
  }

  say(key: Key, values: Record<string, string | number> = {}): string {
    const found = this.#catalogue[key] ?? key;
    const text = typeof found === 'string' ? found : this.#plural(found, Number(values['n'] ?? 0));
    return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  }

  #plural(forms: Plural, n: number): string {
    return forms[new Intl.PluralRules(this.language).select(n)] ?? forms.other;
  }
}

export const words = new Words();
export const t = (key: Key, values?: Record<string, string | number>): string => words.say(key, values);

/** How dates and numbers are written: day before month wherever the language leaves it open. */
export const locale = (): string => (words.language === 'en' ? 'en-GB' : words.language);

/** The text an alert has in this language, or what stands in for it. */
export function inLanguage(texts: Record<string, string> | undefined, otherwise: string): string {
  return texts?.[words.language] ?? texts?.['und'] ?? texts?.['en'] ?? otherwise;
}
