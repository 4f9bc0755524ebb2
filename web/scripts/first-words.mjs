// Which words the first screen says, found in its sources: they come first, the rest while somebody reads them.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What comes in one piece with the page. */
export const FIRST = /node_modules|src[/\\](lib[/\\](?!draft|enter|passkey|prove|tally)|ui[/\\](Icon|StatusBar|AlertCard|Answer|Answering|Age|Delivery|Missing|Severity)\.)/;
/** What opens over any screen, or is one with it. */
const WITH_IT = /src[/\\](App|screens[/\\]Now|ui[/\\](Glass|Prove|ProveDialog))\./;

const files = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)]));

/** The keys, of all there are. A key put together of parts counts by its beginning. */
export function firstKeys(all, root) {
  const sources = files(join(root, 'src'))
    .filter((file) => !file.endsWith('schema.d.ts') && (FIRST.test(file) || WITH_IT.test(file)))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const named = new Set([...sources.matchAll(/'([\w.-]+)'/g)].map((match) => match[1]));
  const begun = [...sources.matchAll(/`([\w.-]+\.)\$\{/g)].map((match) => match[1]);
  return new Set(all.filter((key) => named.has(key) || begun.some((beginning) => key.startsWith(beginning))));
}
