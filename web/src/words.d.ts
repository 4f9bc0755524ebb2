declare module 'virtual:words' {
  /** For each language what its speakers call it, and where the words of the first screen are, and the rest. */
  const files: Record<string, [name: string, first: string, rest: string]>;
  export default files;
}
