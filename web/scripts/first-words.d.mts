export const FIRST: RegExp;
export function firstKeys(all: string[], root: string): Set<string>;
