// Words for people, from the catalogue in `crates/words`: one file of data per language, all with the same keys.

import type en from '../../../crates/words/locales/en.json';
import { catalogue, language as first, words as fetched, type Catalogue, type Language } from '../boot';

export { LANGUAGES, type Language } from '../boot';
export type Key = Exclude<keyof typeof en, `sms.${string}` | `language.${string}`>;

class Words {
  language: Language = $state('en');
  #catalogue: Catalogue = $state.raw({});

  #rest: Promise<void> | undefined;

  async start(): Promise<void> {
    const [language, found] = (await fetched) ?? [first, {}];
    this.#use(language, found);
  }

  /** Waits for the words that the first screen does not say; tried anew when they were not to be had. */
  whole(): Promise<void> {
    this.#rest ??= catalogue(this.language, 'rest').then((rest) => {
      this.#catalogue = { ...rest, ...this.#catalogue };
    });
    // Whoever waits is told; the next one to ask tries again.
    this.#rest.catch(() => (this.#rest = undefined));
    return this.#rest;
  }

  async choose(language: Language): Promise<void> {
    try {
      const [found, rest] = await Promise.all([catalogue(language, 'first'), catalogue(language, 'rest')]);
      this.#use(language, { ...rest, ...found });
      this.#rest = Promise.resolve();
      localStorage.setItem('language', language);
    } catch {
      // Not kept on this device and no node to fetch it from: the language before stays.
    }
  }

  #use(language: Language, words: Catalogue): void {
    [this.language, this.#catalogue] = [language, words];
    document.documentElement.lang = language;
  }

  say(key: Key, values: Record<string, string | number> = {}): string {
    const found = this.#catalogue[key] ?? key;
    const text = typeof found === 'string' ? found : this.#plural(found, Number(values['n'] ?? 0));
    return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  }

  #plural(forms: Exclude<Catalogue[string], string>, n: number): string {
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
