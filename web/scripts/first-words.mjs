// Which words the first screen says, found in its sources: they come first, the rest while somebody reads them.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What is shared by screens that are opened later: small enough to come with the first of them. */
export const PARTS = /bindings[/\\](input|select)\.|elements[/\\]misc\.|blocks[/\\]snippet\.|src[/\\](lib[/\\](draft|key|tally|why)|ui[/\\](Hold|Tally|Whom))\./;
/** What comes in one piece with the page. */
const FIRST = /node_modules|src[/\\](lib[/\\](?!enter|passkey|prove)|ui[/\\](Icon|StatusBar|AlertCard|Answer|Answering|Age|Delivery|Missing|Severity)\.)/;
export const isFirst = (file) => FIRST.test(file) && !PARTS.test(file);
/** What opens over any screen, or is one with it. */
const WITH_IT = /src[/\\](App|screens[/\\]Now|ui[/\\](Glass|Prove|ProveDialog))\./;

const files = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)]));

/** The keys, of all there are. A key put together of parts counts by its beginning. */
export function firstKeys(all, root) {
  const sources = files(join(root, 'src'))
    .filter((file) => !file.endsWith('schema.d.ts') && (isFirst(file) || WITH_IT.test(file)))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const named = new Set([...sources.matchAll(/'([\w.-]+)'/g)].map((match) => match[1]));
  const begun = [...sources.matchAll(/`([\w.-]+\.)\$\{/g)].map((match) => match[1]);
  return new Set(all.filter((key) => named.has(key) || begun.some((beginning) => key.startsWith(beginning))));
}
