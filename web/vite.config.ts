import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

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

export default defineConfig({
  plugins: [svelte(), atOnce],
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
            { name: 'boot', test: /src[/\\]boot|\.json\?url/, priority: 2 },
            { name: 'first', test: /node_modules|src[/\\](lib[/\\](?!draft|enter|passkey|prove|tally)|ui[/\\](Icon|StatusBar|AlertCard|Answer|Answering|Age|Delivery|Severity)\.)/, priority: 1 },
            { name: 'passkey', test: /src[/\\]lib[/\\]passkey/, priority: 1 },
            { name: 'parts', test: /src[/\\](lib[/\\](draft|tally)|ui[/\\](Hold|Tally|Whom))\./, priority: 1 },
            { name: 'room', test: /src[/\\]ui[/\\](Room|RoomRecord|Roles|Steer|MessageActs)\./ },
            { name: 'night', test: /src[/\\]ui[/\\](DocumentForm|Guests|Followers|NumberChange)\./ },
            { name: 'desk', test: /src[/\\]screens[/\\](Accounts|Channels|Cluster|Devices|Evidence|Settings)\./ },
          ],
        },
      },
    },
  },
  server: { proxy: { '/v1': { target: node, secure: false, changeOrigin: true } } },
});
