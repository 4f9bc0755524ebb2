import './app.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { words } from './lib/i18n.svelte';
import { look } from './lib/look.svelte';
import { session } from './lib/session.svelte';
import { update } from './lib/update.svelte';

look.apply();
await Promise.all([words.start(), session.start()]);
mount(App, { target: document.getElementById('app')! });
void update.start();
