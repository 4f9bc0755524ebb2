declare module 'virtual:words' {
  /** For each language where the words of the first screen are, and the rest. */
  const files: Record<string, [first: string, rest: string]>;
  export default files;
}
