import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// `npm run dev` speaks to a running `holdfast demo`: HOLDFAST_NODE=https://127.0.0.1:7443
const node = process.env.HOLDFAST_NODE ?? 'https://127.0.0.1:7443';
const out = process.env.HOLDFAST_WEB_OUT ?? 'dist';

export default defineConfig({
  plugins: [svelte()],
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
          // What the first screen needs comes in one piece: on a slow link each further question costs more than its bytes.
          groups: [{ name: 'first', test: /node_modules|src[/\\](lib|ui[/\\](Icon|StatusBar|AlertCard|Answer|Answering|Age|Delivery|Severity|Keys))/ }],
        },
      },
    },
  },
  server: { proxy: { '/v1': { target: node, secure: false, changeOrigin: true } } },
});
