// Every language says everything: the same keys, the same values to fill in, and the plurals it has.
import { readFileSync, readdirSync } from 'node:fs';

const folder = new URL('../../crates/words/locales/', import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
const forms = (entry) => (typeof entry === 'string' ? [entry] : Object.values(entry));
// One form may leave a value out ("one person"), but none may ask for one that is not given.
const values = (entry) => new Set(forms(entry).flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1])));

const english = read('en.json');
const wrong = [];
// What nodes call roles is said in people's words wherever it is shown.
const table = readFileSync(new URL('../../docs/permissions.md', import.meta.url), 'utf8').match(/^\| operation \| scope \|(.*)\| in a unit \| factor \|$/m);
for (const role of table[1].split('|').map((name) => name.trim())) if (!(`account.${role}` in english)) wrong.push(`en.json: account.${role} is missing`);
for (const name of readdirSync(folder)) {
  const catalogue = read(name);
  for (const key of Object.keys(english)) if (!(key in catalogue)) wrong.push(`${name}: ${key} is missing`);
  for (const [key, entry] of Object.entries(catalogue)) {
    if (!(key in english)) wrong.push(`${name}: ${key} is not in en.json`);
    else if ([...values(entry)].some((value) => !values(english[key]).has(value))) wrong.push(`${name}: ${key} asks for a value that is not given`);
    else if ([...values(english[key])].some((value) => !values(entry).has(value))) wrong.push(`${name}: ${key} leaves a value out`);
    if (forms(entry).some((text) => text.trim() === '')) wrong.push(`${name}: ${key} is empty`);
    if (typeof entry === 'object') {
      const needed = new Intl.PluralRules(name.slice(0, 2)).resolvedOptions().pluralCategories;
      if (!('other' in entry)) wrong.push(`${name}: ${key} has no form "other"`);
      for (const form of Object.keys(entry)) if (!needed.includes(form)) wrong.push(`${name}: ${key}: ${name.slice(0, 2)} has no plural "${form}"`);
    }
  }
}
if (wrong.length > 0) {
  console.error(wrong.join('\n'));
  process.exit(1);
}
console.log(`${Object.keys(english).length} messages in ${readdirSync(folder).length} languages`);
