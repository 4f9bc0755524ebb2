import { readFileSync, readdirSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';
import { firstKeys, isFirst, PARTS } from './scripts/first-words.mjs';

// `npm run dev` speaks to a running `holdfast demo`: HOLDFAST_NODE=https://127.0.0.1:7443
const node = process.env.HOLDFAST_NODE ?? 'https://127.0.0.1:7443';
const out = process.env.HOLDFAST_WEB_OUT ?? 'dist';

/**
 * Names in the page what its script would ask for one after the other: on a slow link each question in a row costs more than
 * its bytes. `boot` runs as soon as it is there.
 */
const atOnce: Plugin = {
  name: 'at-once',
  transformIndexHtml: {
    order: 'post',
    handler(_, { bundle }) {
      const chunks = Object.values(bundle ?? {}).filter((file) => file.type === 'chunk');
      const named = (name: string) => chunks.filter((chunk) => chunk.name === name).map((chunk) => `/${chunk.fileName}`);
      return [
        ...named('boot').map((src) => ({ tag: 'script', attrs: { type: 'module', crossorigin: true, async: true, src }, injectTo: 'head-prepend' as const })),
        ...named('first').map((href) => ({ tag: 'link', attrs: { rel: 'modulepreload', crossorigin: true, href }, injectTo: 'head-prepend' as const })),
      ];
    },
  },
};

type Words = Record<string, unknown>;

/**
 * `virtual:words`: what each language is called, and where its words are, in two files: those the first screen says, and the rest.
 * What leaves as text or mail is not among them.
 */
const words: Plugin & { building?: boolean } = {
  name: 'words',
  configResolved(config) {
    words.building = config.command === 'build';
  },
  resolveId: (id) => (id === 'virtual:words' ? `\0${id}` : undefined),
  load(id) {
    if (id !== '\0virtual:words') return undefined;
    const folder = new URL('../crates/words/locales/', import.meta.url);
    const rows = readdirSync(folder).map((name) => {
      const whole = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Words;
      const all = Object.fromEntries(Object.entries(whole).filter(([key]) => !/^(sms|language)\./.test(key)));
      const first = firstKeys(Object.keys(all), import.meta.dirname);
      const parts = [true, false].map((wanted) => {
        const part = JSON.stringify(Object.fromEntries(Object.entries(all).filter(([key]) => first.has(key) === wanted)));
        if (!words.building) return JSON.stringify(`data:application/json,${encodeURIComponent(part)}`);
        return `import.meta.ROLLUP_FILE_URL_${this.emitFile({ type: 'asset', name, source: part })}`;
      });
      return `${JSON.stringify(whole['language.tag'])}: [${JSON.stringify(whole['language.name'])}, ${parts.join(', ')}]`;
    });
    return `export default { ${rows.join(', ')} };`;
  },
};

export default defineConfig({
  plugins: [svelte(), words, atOnce],
  cacheDir: process.env.HOLDFAST_WEB_OUT ? `${out}/../vite` : 'node_modules/.vite',
  build: {
    outDir: out,
    emptyOutDir: true,
    target: 'es2022',
    // A preload helper would write script addresses; every chunk here is small and asked for once.
    modulePreload: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 120,
    rolldownOptions: {
      output: {
        codeSplitting: {
          // What the first screen needs comes in one piece: on a slow link each further question costs more than its bytes. What
          // is opened together comes together, too: a few larger files pack better than many small ones.
          groups: [
            { name: 'boot', test: /src[/\\]boot|virtual:words/, priority: 3 },
            { name: 'first', test: isFirst, priority: 2 },
            { name: 'parts', test: PARTS, priority: 1 },
            { name: 'passkey', test: /src[/\\]lib[/\\]passkey/, priority: 1 },
            { name: 'room', test: /src[/\\]ui[/\\](Room|RoomRecord|Roles|Steer|MessageActs)\./ },
            { name: 'night', test: /src[/\\]ui[/\\](DocumentForm|Guests|Followers|NumberChange|PersonUnit)\./ },
            { name: 'desk', test: /src[/\\](screens[/\\](Accounts|Channels|Cluster|Devices|Evidence|Settings|Setup)|ui[/\\](AddPerson|Starter))\./ },
          ],
        },
      },
    },
  },
  server: { proxy: { '/v1': { target: node, secure: false, changeOrigin: true } } },
});
