// Every screen: free of what axe finds, no wider than the window, and a picture of each for people to look at.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { enter, led, renumbered, signInLite } from './people.mjs';
import { OUT, PASSWORD, sound, until } from './world.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const SIZES = {
  narrow: { viewport: { width: 320, height: 640 } },
  // Twice as large in a window of 1280: what is left is a window of 640.
  zoomed: { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
  phone: { viewport: { width: 390, height: 844 } },
  desktop: { viewport: { width: 1440, height: 900 } },
};
const PICTURE = fileURLToPath(new URL('../../docs/pictures/app.png', import.meta.url));

/** Kilobytes as they travel. */
const FIRST_MAX = 35 * 1024;
const ALL_MAX = 150 * 1024;

/** Makes the window as high as the page, so that no bar lies over what is being looked at. Some parts grow with the window, so it asks again once the page is laid out anew. */
async function uncover(page, from) {
  const { width } = page.viewportSize();
  let height = from;
  for (let step = 0; step < 12; step += 1) {
    const needed = await page.evaluate((high) => new Promise((laid) => {
      const frame = () => requestAnimationFrame(innerHeight === high ? () => laid(document.documentElement.scrollHeight) : frame);
      frame();
    }), height);
    if (needed <= height) break;
    height = needed;
    await page.setViewportSize({ width, height });
  }
  return height;
}

/** What axe finds. Pages may run nothing but their own files; the checker runs beside them, in a world of its own. */
async function violations(page) {
  const session = await page.context().newCDPSession(page);
  const { frameTree } = await session.send('Page.getFrameTree');
  const { executionContextId: contextId } = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id, worldName: 'axe' });
  await session.send('Runtime.evaluate', { expression: AXE, contextId });
  const options = JSON.stringify({ runOnly: { type: 'tag', values: RULES }, resultTypes: ['violations'] });
  const answer = await session.send('Runtime.evaluate', { expression: `axe.run(document, ${options}).then((found) => JSON.stringify(found.violations.map((one) => one.id + ': ' + one.nodes.map((node) => node.html.slice(0, 160) + ' ' + (node.any[0]?.message ?? '')).join(' | '))))`, contextId, awaitPromise: true, returnByValue: true });
  await session.detach();
  return JSON.parse(answer.result.value ?? '["axe did not run"]');
}

async function check(page, what) {
  const size = page.viewportSize();
  let height = await uncover(page, size.height);
  let found = await violations(page);
  // What arrived while it looked may have pushed something under a bar: that is looked at again, a page that stood still is not.
  for (let again = await uncover(page, height); again > height; again = await uncover(page, height)) {
    height = again;
    found = await violations(page);
  }
  assert.deepEqual(found, [], what);
  if (height > size.height) await page.setViewportSize(size);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${what} is ${wide} px wider than the window`);
  const small = await page.evaluate(() => [...document.querySelectorAll('main button, nav a, nav button, main .button')].filter((element) => element.offsetParent !== null && (element.offsetHeight < 40 || element.offsetWidth < 40)).map((element) => element.outerHTML.slice(0, 120)));
  assert.deepEqual(small, [], `${what}: too small to touch`);
}

const leave = async (page) => {
  await page.keyboard.press('Escape');
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
};

/** What stands behind a button. */
async function look(page, take, button, name) {
  await page.getByRole('button', { name: button }).first().click();
  await page.locator('dialog[open]').waitFor();
  await take(name);
  await leave(page);
}

/** The parts of an incident that stand behind a button. */
async function parts(page, take) {
  const narrow = await page.locator('.tabs').isVisible();
  const turn = async (name) => {
    if (!narrow) return;
    await page.locator('.tabs').getByRole('button', { name }).click();
    await take(`incident-${name.toLowerCase()}`);
  };
  await turn('Room');
  await look(page, take, 'By text and mail', 'followers');
  await page.getByRole('button', { name: 'What to do with the message of Anna Virtanen' }).last().click();
  await take('message');
  await page.locator('dialog[open]').getByRole('button', { name: 'Decision' }).click();
  await take('decision');
  await leave(page);
  await turn('Steer');
  await look(page, take, 'Add a guest', 'guest');
  await page.getByRole('button', { name: /: Leader$/ }).click();
  await take('hand-over');
  await leave(page);
  await turn('Log');
}

export function screens(world) {
  test('every screen is accessible and fits, in light and dark, at 320 px, at 200 % and on a desk', async () => {
    const w = world();
    const { number } = await led(w);
    await renumbered(w);
    for (const [account, roles] of [['anna', ['incident-manager']], ['paula', ['admin']], ['bjorn', ['responder', 'duty-officer']]]) {
      await w.ask('PUT', `/v1/accounts/${account}`, { person: account });
      await w.ask('PUT', `/v1/accounts/${account}/roles`, { roles });
    }
    await w.raise({ text: 'Yearly evacuation exercise in building C', severity: 'normal', status: 'exercise', to: { people: ['anna', 'paula'] } });
    const paths = { now: '/', incident: `/incident/${number}`, incidents: '/incidents', send: '/send', 'send-flood': '/send?template=flood', duty: '/duty', people: '/people', channels: '/channels', cluster: '/cluster', devices: '/devices', settings: '/settings', accounts: '/accounts', account: '/accounts/bjorn', evidence: '/evidence', wall: '/wall', setup: '/setup' };
    for (const [size, options] of Object.entries(SIZES)) {
      for (const colorScheme of size === 'phone' ? ['dark'] : ['light', 'dark']) {
        const page = await w.device({ ...options, colorScheme, reducedMotion: 'reduce' });
        await page.goto(w.nodes[0].https);
        await page.locator('#account').waitFor();
        const take = async (name) => {
          await check(page, `${name}, ${size}, ${colorScheme}`);
          await page.screenshot({ path: `${OUT}${name}-${size}-${colorScheme}.png` });
          await sound(page);
        };
        await take('sign-in');
        await w.signIn(page);
        for (const [name, path] of Object.entries(paths)) {
          await page.evaluate((to) => {
            const link = document.createElement('a');
            link.href = to;
            document.body.append(link);
            link.click();
            link.remove();
          }, path);
          await page.locator('main h1').first().waitFor({ state: 'attached' });
          await page.waitForTimeout(300);
          await take(name);
          if (name === 'incident') await parts(page, take);
          if (name === 'incidents') await look(page, take, 'Add a plan', 'document');
          if (name === 'people') {
            await page.getByText(/vouched for it/).waitFor();
            await page.getByRole('button', { name: 'Another number: Anna Virtanen' }).click();
            await page.getByText('An incident is open').waitFor();
            await take('number');
            await page.keyboard.press('Escape');
          }
          if (name === 'account') {
            await page.getByRole('button', { name: 'Invite a device' }).click();
            await page.locator('.secret').waitFor();
            await take('invitation');
          }
        }
        await page.context().close();
      }
    }
    const desk = await w.device({ viewport: { width: 1280, height: 760 }, colorScheme: 'light' });
    await w.signIn(desk);
    await desk.goto(`${w.nodes[0].https}/incident/${number}`);
    await desk.getByText('Meet me at gate 3').waitFor();
    const picture = await desk.screenshot({ path: `${OUT}app.png` });
    if (process.env.HOLDFAST_BLESS === '1') {
      mkdirSync(new URL('.', `file://${PICTURE}`), { recursive: true });
      writeFileSync(PICTURE, picture);
    }
  });

  test('the pages without script are accessible and fit, in every language', async () => {
    const w = world();
    const { number } = await led(w);
    const setup = await w.device();
    const codes = await enter(w, setup, 'anna', ['responder']);
    await setup.context().close();
    const page = await w.device({ viewport: { width: 320, height: 640 } });
    await page.goto(`${w.nodes[0].https}/lite`);
    await check(page, 'sign-in of /lite');
    await page.screenshot({ path: `${OUT}lite-sign-in.png` });
    await signInLite(page, w, 'anna', PASSWORD, codes[0]);
    for (const language of ['en', 'fi', 'sv', 'fr', 'ja']) {
      for (const path of [`/lite?lang=${language}`, `/lite/alert/${number}`]) {
        const answer = await page.goto(w.nodes[0].https + path);
        assert.ok((await answer.body()).length < 10_000, `${path} is too large`);
        await check(page, `${path} in ${language}`);
        await page.screenshot({ path: `${OUT}lite-${path.includes('alert') ? 'alert' : 'list'}-${language}.png` });
      }
    }
    assert.equal(await page.evaluate(() => document.scripts.length), 0);
    await sound(page);
  });

  test('every language fits on the narrowest phone, and high contrast is free of what axe finds', async () => {
    const w = world();
    await w.raise({ text: 'Pump 3 has tripped', to: { people: ['anna'] } });
    for (const locale of ['fi-FI', 'sv-SE', 'fr-FR', 'ja-JP']) {
      const page = await w.device({ viewport: { width: 320, height: 640 }, locale, contrast: locale === 'fi-FI' ? 'more' : 'no-preference' });
      await w.signIn(page);
      await page.locator('.answer.yes').waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.lang), locale.slice(0, 2));
      await check(page, `now in ${locale}`);
      await page.screenshot({ path: `${OUT}now-${locale}.png` });
      for (const path of ['/send', '/duty', '/cluster', '/settings']) {
        await page.goto(w.nodes[0].https + path);
        await page.locator('main h1').waitFor();
        await page.waitForTimeout(250);
        await check(page, `${path} in ${locale}`);
      }
      await sound(page);
      await page.context().close();
    }
  });

  test('the first screen and the whole stay within their budgets, and work soon on a bad link', async () => {
    const w = world();
    const { number } = await w.raise({ text: 'Pump 3 has tripped', to: { people: ['anna'] } });
    const page = await w.device({ serviceWorkers: 'block' });
    const scripts = new Map();
    page.on('response', (response) => {
      if (/\.js$/.test(new URL(response.url()).pathname)) scripts.set(response.url(), response);
    });
    // What the page before still asked for is not of this one.
    page.on('framenavigated', (frame) => frame === page.mainFrame() && scripts.clear());
    // As the page sees it, from the moment it was asked for to the frame with the button.
    await page.addInitScript(() => {
      new MutationObserver((_, watch) => {
        if (!document.querySelector('.answer.yes')) return;
        watch.disconnect();
        requestAnimationFrame(() => (globalThis.usable = performance.now()));
      }).observe(document, { childList: true, subtree: true });
    });
    const usableAfter = () => until('the answer button is there', () => page.evaluate(() => globalThis.usable));
    await w.signIn(page);
    await page.locator('.answer.yes').waitFor();
    await page.reload();
    await usableAfter();
    // What is fetched later, ahead of its use, is not of the first screen.
    const soon = new Set(await page.evaluate(() => performance.getEntriesByType('resource').filter((one) => one.startTime < globalThis.usable).map((one) => one.name)));
    // Read now: a browser keeps what a page was answered no longer than the page.
    const bodies = await Promise.all([...scripts.values()].filter((response) => soon.has(response.url())).map((response) => response.body()));
    const first = bodies.reduce((sum, body) => sum + gzipSync(body, { level: 9 }).length, 0);
    assert.ok(first > 0 && first <= FIRST_MAX, `the first screen needs ${first} bytes of script`);
    const worker = await (await fetch(`${w.nodes[0].https}/sw.js`)).text();
    const files = [...worker.matchAll(/"(\/[^"]*)"/g)].map((match) => match[1]);
    const sizes = await Promise.all(files.map(async (file) => {
      const response = await fetch(w.nodes[0].https + file);
      assert.equal(response.status, 200, `${file}, which the service worker keeps`);
      return { file, bytes: gzipSync(Buffer.from(await response.arrayBuffer()), { level: 9 }).length };
    }));
    // A device keeps the words of two languages, its own and English; here the two largest.
    const isWords = ({ file }) => file.endsWith('.json');
    const words = new Map();
    for (const { file, bytes } of sizes.filter(isWords)) words.set(file.slice(0, '/assets/en'.length), (words.get(file.slice(0, '/assets/en'.length)) ?? 0) + bytes);
    const kept = [...words.values()].sort((a, b) => b - a).slice(0, 2);
    const all = [...kept, ...sizes.filter((one) => !isWords(one)).map(({ bytes }) => bytes)].reduce((sum, bytes) => sum + bytes, 0);
    assert.ok(files.length > 10 && all <= ALL_MAX, `the app is ${all} bytes`);
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('Network.enable');
    await cdp.send('Network.clearBrowserCache');
    await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 });
    await page.reload({ waitUntil: 'commit' });
    const usable = await usableAfter();
    console.log(`# first screen ${(first / 1024).toFixed(1)} KiB of script, all ${(all / 1024).toFixed(1)} KiB; answer button after ${usable.toFixed()} ms at 400 kbit/s + 400 ms (alert ${number})`);
    assert.ok(usable < 8_000);
  });
}
