// After the build: tells the service worker which files there are, compresses what compresses, and writes the list from
// which the program embeds them (`files.tsv`: path, content type, digest, compressed forms).
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = process.env.HOLDFAST_WEB_OUT ?? 'dist';

const TYPES = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  png: 'image/png',
  svg: 'image/svg+xml',
  webmanifest: 'application/manifest+json',
};

const walk = (folder) =>
  readdirSync(join(dist, folder), { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? walk(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]))
    .sort();

const digest = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 32);
const files = walk('').filter((path) => !/\.(br|gz|tsv)$/.test(path));

const kept = files.filter((path) => path !== '/sw.js');
const isWords = (path) => path.endsWith('.json');
const listed = (paths) => paths.map((path) => JSON.stringify(path === '/index.html' ? '/' : path)).join(', ');
const version = digest(kept.map((path) => path + digest(readFileSync(join(dist, path)))).join('\n'));
const worker = readFileSync(join(dist, 'sw.js'), 'utf8')
  .replace("'__FILES__'", listed(kept.filter((path) => !isWords(path))))
  .replace("'__WORDS__'", listed(kept.filter(isWords)))
  .replace('__VERSION__', version);
writeFileSync(join(dist, 'sw.js'), worker);

let total = 0;
const rows = files.map((path) => {
  const name = path.split('.').pop();
  const type = TYPES[name];
  if (!type) throw new Error(`${path}: no content type is known for .${name}`);
  const file = join(dist, path);
  const bytes = readFileSync(file);
  const forms = [];
  if (name !== 'png') {
    const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } };
    for (const [form, packed] of [['br', brotliCompressSync(bytes, options)], ['gz', gzipSync(bytes, { level: 9 })]]) {
      if (packed.length >= bytes.length) continue;
      writeFileSync(`${file}.${form}`, packed);
      forms.push(form);
    }
  }
  total += statSync(forms.includes('gz') ? `${file}.gz` : file).size;
  return [path, type, digest(bytes), forms.join(',')].join('\t');
});
writeFileSync(join(dist, 'files.tsv'), `${rows.join('\n')}\n`);
console.log(`${files.length} files, ${(total / 1024).toFixed(1)} KiB gzip`);
