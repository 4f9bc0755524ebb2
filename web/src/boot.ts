// A script of its own, small enough to be there first: it begins to fetch the words while the rest is still on its way.

import files from 'virtual:words';

type Plural = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };
export type Catalogue = Record<string, string | Plural>;

/** The tag of a language. */
export type Language = string;
/** Languages there are, each by the name its speakers give it. */
export const LANGUAGES: [Language, string][] = Object.entries(files).map(([tag, [name]]) => [tag, name]);

/** Words of a language: those of the first screen, or the rest. */
export async function catalogue(language: Language, which: 'first' | 'rest'): Promise<Catalogue> {
  return (await fetch(files[language]![which === 'first' ? 1 : 2])).json() as Promise<Catalogue>;
}

const known = (tag: string | null): tag is Language => tag !== null && tag in files;
const wished = localStorage.getItem('language');

/** What was chosen here, or the first language of the browser's that there is. */
export const language: Language = known(wished) ? wished : (navigator.languages.map((tag) => tag.slice(0, 2)).find(known) ?? 'en');
/** The first of its words; those of English where they are neither kept on this device nor to be had. */
export const words: Promise<[Language, Catalogue] | undefined> = catalogue(language, 'first')
  .then((found): [Language, Catalogue] => [language, found])
  .catch(async (): Promise<[Language, Catalogue]> => ['en', await catalogue('en', 'first')])
  .catch(() => undefined);
