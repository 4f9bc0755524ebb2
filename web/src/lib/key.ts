// What programs call something, made of what people call it.

/** Small letters, digits and single dashes, without accents; empty when nothing is left of it. */
export const keyOf = (name: string, max = 40): string =>
  name.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replace(/^-/, '').slice(0, max).replace(/-$/, '');

/** The first of `key`, `key-2`, `key-3`, … that is not taken. */
export async function freeKey(key: string, taken: (key: string) => boolean | Promise<boolean>): Promise<string> {
  for (let count = 1; ; count += 1) {
    const tried = count === 1 ? key : `${key}-${count}`;
    if (!(await taken(tried))) return tried;
  }
}
