export function isFirst(file: string): boolean;
export const PARTS: RegExp;
export function firstKeys(all: string[], root: string): Set<string>;
