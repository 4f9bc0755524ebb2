// The app in a browser, against real nodes: the five main flows by touch and by keys, nodes that die, no node at all.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { screens } from './screens.mjs';
import { missing, oneTimeCode, PASSWORD, sound, until, World } from './world.mjs';

if (missing && process.env.HOLDFAST_CI) throw new Error(missing);

describe('the app', { skip: missing }, () => {
  let world;
  before(async () => {
    world = await World.start();
  });
  // However a test ends, the next one begins with nothing open.
  afterEach(() => world.clear());
  after(() => world?.stop());

  test('by touch: sign in, answer with a time, take it back, answer again', async () => {
    const { number } = await world.raise({ text: 'Pump 3 has tripped', to: { people: ['anna', 'bjorn'] } });
    const page = await world.device();
    await world.signIn(page);
    await page.getByRole('button', { name: 'Coming' }).tap();
    await page.getByRole('button', { name: 'Undo' }).tap();
    await page.getByRole('button', { name: 'Cannot' }).waitFor();
    assert.equal(await world.answerOf(number, 'anna'), null, 'what was taken back never left');
    await page.getByRole('button', { name: 'Coming' }).tap();
    await page.getByRole('button', { name: '20 min' }).tap();
    await page.getByText('Stored on 2 of 3 nodes').waitFor({ timeout: 15_000 });
    const call = (await world.alert(number)).called.find((one) => one.person.key === 'anna');
    assert.equal(call.answer, 'coming');
    assert.equal(call.eta_minutes, 20);
    await sound(page);
  });

  test('by touch: one button raises an alert and its room opens; call off stands everyone down', async () => {
    const page = await world.device();
    await world.signIn(page);
    await page.getByRole('link', { name: 'Alert', exact: true }).tap();
    await page.getByRole('button', { name: /Something else/ }).tap();
    await page.locator('#text').fill('Smoke in hall 2');
    await page.getByRole('button', { name: 'High', exact: true }).tap();
    await page.locator('#whom-search').fill('anna');
    await page.getByRole('button', { name: 'Anna Virtanen' }).tap();
    const hold = page.locator('button.hold');
    await page.getByText('Alert 1 person').waitFor();
    // A short press does nothing.
    await hold.dispatchEvent('pointerdown', { button: 0 });
    await hold.dispatchEvent('pointerup', { button: 0 });
    await page.waitForTimeout(1_700);
    assert.equal((await world.ask('GET', '/v1/alerts?state=open')).alerts.length, 0);
    await hold.dispatchEvent('pointerdown', { button: 0 });
    await page.waitForURL(/\/incident\/\d+/, { timeout: 10_000 });
    const number = page.url().split('/').pop();
    await page.getByRole('heading', { name: 'Smoke in hall 2' }).waitFor();
    await page.getByRole('button', { name: 'Steer' }).tap();
    await page.getByRole('button', { name: 'Call off' }).tap();
    await page.locator('dialog[open] #why').fill('false alarm');
    await page.locator('dialog[open] button.hold').dispatchEvent('pointerdown', { button: 0 });
    await until('it is called off', async () => (await world.alert(number)).state === 'called_off');
    await page.getByText('Called off').first().waitFor();
    await sound(page);
  });

  test('two browsers in one room hear each other, markup stays text', async () => {
    const { number } = await world.raise({ text: 'Water in the cellar', to: { people: ['anna', 'carol'] } });
    const [anna, carol] = [await world.device(), await world.device({ viewport: { width: 1280, height: 800 } })];
    await world.signIn(anna, 'anna', 0);
    await world.signIn(carol, 'carol', 1);
    for (const page of [anna, carol]) await page.goto(`${new URL(page.url()).origin}/incident/${number}`);
    await anna.getByRole('button', { name: 'Room' }).tap();
    const words = '<img src=x onerror=alert(1)> \u202Eon my way';
    await anna.locator('#say').fill(words);
    const said = Date.now();
    await anna.getByRole('button', { name: 'Send' }).tap();
    await carol.getByText('<img src=x onerror=alert(1)>').waitFor({ timeout: 5_000 });
    console.log(`# heard in the other browser after ${Date.now() - said} ms`);
    assert.equal(await carol.locator('img[src=x]').count(), 0);
    await carol.locator('#say').fill('two of us');
    await carol.keyboard.press('Control+Enter');
    await anna.getByText('two of us').waitFor({ timeout: 5_000 });
    await world.ask('POST', `/v1/alerts/${number}/answer`, { person: 'anna', answer: 'coming', eta_minutes: 10 });
    await carol.locator('.tally li.yes b', { hasText: '1' }).waitFor({ timeout: 5_000 });
    for (const page of [anna, carol]) {
      await sound(page);
      }
  });

  test('by keys alone: sign in, answer, speak, raise, call off', async () => {
    const { number } = await world.raise({ text: 'Gate 3 does not close', to: { people: ['elin'] } });
    const page = await world.device({ viewport: { width: 1280, height: 800 }, hasTouch: false });
    const press = async (...keys) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const tabTo = async (locator) => {
      for (let step = 0; step < 80; step += 1) {
        if (await locator.evaluate((element) => element === document.activeElement)) {
          const seen = await locator.evaluate((element) => {
            const box = element.getBoundingClientRect();
            const top = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height / 2, innerHeight / 2));
            return element === top || element.contains(top) || top?.contains(element);
          });
          assert.ok(seen, 'what has the focus is hidden');
          return;
        }
        await press('Tab');
      }
      throw new Error(`the Tab key never reached ${locator}`);
    };
    await page.goto(world.nodes[0].https);
    await page.locator('#account').waitFor();
    await tabTo(page.getByRole('button', { name: 'Key of the API' }));
    await press('Enter');
    await tabTo(page.locator('#key'));
    await page.keyboard.type(world.key);
    await press('Tab');
    await page.keyboard.type('elin');
    await press('Enter');
    await page.locator('.answer.yes').waitFor();
    await tabTo(page.locator('.answer.yes'));
    await press('Enter');
    await until('the answer is stored', async () => (await world.answerOf(number, 'elin')) === 'coming');
    await tabTo(page.getByRole('link', { name: /Open the room/ }));
    await press('Enter');
    await page.locator('#say').waitFor();
    await tabTo(page.locator('#say'));
    await page.keyboard.type('I am at the gate');
    await press('Control+Enter');
    await until('it is said', async () => (await world.ask('GET', `/v1/rooms/${number}/messages`)).messages.some((one) => one.text === 'I am at the gate'));
    await tabTo(page.getByRole('button', { name: 'Call off' }));
    await press('Enter');
    await tabTo(page.locator('dialog[open] button.hold'));
    await page.keyboard.down(' ');
    await until('it is called off', async () => (await world.alert(number)).state === 'called_off');
    await page.keyboard.up(' ');
    await page.locator('dialog[open]').waitFor({ state: 'detached' });
    await page.locator('main h1').focus();
    await press('g', 's');
    await page.getByRole('heading', { name: 'Raise an alert' }).waitFor();
    await tabTo(page.getByRole('button', { name: /Something else/ }));
    await press('Enter');
    await tabTo(page.locator('#text'));
    await page.keyboard.type('Test by keys');
    await tabTo(page.locator('#whom-search'));
    await page.keyboard.type('elin');
    await tabTo(page.getByRole('button', { name: 'Elin Sjöström' }));
    await press(' ');
    await page.getByText('Alert 1 person').waitFor();
    await tabTo(page.locator('button.hold'));
    await page.keyboard.down('Enter');
    await page.waitForURL(/\/incident\/\d+/, { timeout: 10_000 });
    await page.keyboard.up('Enter');
    await sound(page);
  });

  screens(() => world);

  test('the node dies under the app: the answer goes through another, and the page opens without it', async () => {
    const { number } = await world.raise({ text: 'Transformer 2 is hot', to: { people: ['anna', 'bjorn'] } });
    const page = await world.device();
    await world.signIn(page, 'anna', 2);
    await page.locator('.answer.yes').waitFor();
    await page.evaluate(() => navigator.serviceWorker.ready);
    await until('the members are known', () => page.evaluate(() => new Promise((resolve) => {
      const open = indexedDB.open('holdfast');
      open.onsuccess = () => {
        const asked = open.result.transaction('keep').objectStore('keep').get('members');
        asked.onsuccess = () => resolve(asked.result?.length === 3);
      };
    })));
    world.kill(2);
    const started = Date.now();
    await page.locator('.answer.yes').tap();
    await until('the answer is stored through another node', async () => (await world.answerOf(number, 'anna')) === 'coming');
    console.log(`# answered ${Date.now() - started} ms after the node was killed, the five seconds of undo included`);
    await page.reload();
    await page.getByText('You have answered').waitFor();
    await page.goto(`${world.nodes[2].https}/incident/${number}`);
    await page.getByRole('heading', { name: 'Transformer 2 is hot' }).waitFor();
    await sound(page);

    // And now all of them: what is said stays on the device, the app opens, and everything leaves once, later.
    for (const index of [0, 1]) world.kill(index);
    await page.getByRole('button', { name: 'Room' }).tap();
    await page.locator('#say').fill('Is anybody there');
    await page.locator('.room form .fill').tap();
    await page.getByText('Saved on this device').waitFor({ timeout: 30_000 });
    await page.getByText('No node answers', { exact: true }).waitFor();
    await page.goto(world.nodes[2].https);
    await page.getByText('You have answered').waitFor();
    await page.getByText(/From this device/).first().waitFor({ timeout: 30_000 });
    await page.getByRole('button', { name: 'Change' }).tap();
    await page.locator('.answer.no').tap();
    // The phone's own text message is the last way.
    const sms = page.getByRole('link', { name: /Answer by text message/ });
    await sms.waitFor({ timeout: 60_000 });
    assert.match(await sms.getAttribute('href'), /^sms:\+358.*body=2$/);
    await page.reload();
    await page.getByText('2 not sent').waitFor({ timeout: 30_000 });
    await Promise.all([world.revive(0), world.revive(1)]);
    await until('the answer arrived', async () => (await world.answerOf(number, 'anna')) === 'cannot', 60_000);
    await until('the word arrived', async () => (await world.ask('GET', `/v1/rooms/${number}/messages?limit=500`)).messages.some((one) => one.text === 'Is anybody there'), 60_000);
    await page.waitForTimeout(3_000);
    const said = (await world.ask('GET', `/v1/rooms/${number}/messages?limit=500`)).messages.filter((one) => one.text === 'Is anybody there');
    assert.equal(said.length, 1, 'what was saved is said once');
    await sound(page);
    await world.revive(2);
  });

  test('a screen that could not be fetched opens by itself once a node gives it, also the one to sign in by', async () => {
    const page = await world.device({ serviceWorkers: 'block' });
    const without = async (script, act) => {
      await page.route(script, (route) => route.abort());
      await act();
      await page.getByText('This screen is not on this device yet').waitFor();
      await page.unroute(script);
      await page.evaluate(() => sessionStorage.clear());
    };
    await without('**/SignIn-*.js', () => page.goto(world.nodes[0].https));
    await page.locator('#account').waitFor();
    await world.signIn(page);
    await without('**/Duty-*.js', () => page.getByRole('link', { name: 'Duty' }).tap());
    await page.getByRole('heading', { name: 'Duty' }).waitFor();
    await page.getByText('Control room').first().waitFor();
    await sound(page);
  });

  test('by invitation: a responder answers and is offered no more than that', async () => {
    const { number } = await world.raise({ text: 'Gate 3 does not close', to: { people: ['anna'] } });
    const page = await world.device();
    await world.enter(page, 'anna', ['responder'], 1);
    await page.locator('.answer.yes').tap();
    await until('the answer is stored', async () => (await world.answerOf(number, 'anna')) === 'coming');
    assert.equal(await page.getByRole('link', { name: 'Alert', exact: true }).count(), 0);
    const exportable = await page.evaluate(() => new Promise((resolve) => {
      const open = indexedDB.open('holdfast');
      open.onsuccess = () => {
        const asked = open.result.transaction('keep').objectStore('keep').get('device-key');
        asked.onsuccess = () => resolve(asked.result.privateKey.extractable);
      };
    }));
    assert.equal(exportable, false, 'the key cannot leave the device');
    await page.goto(`${world.nodes[1].https}/incident/${number}`);
    await page.getByRole('button', { name: 'Room' }).tap();
    assert.equal(await page.getByRole('button', { name: 'Steer' }).count(), 0);
    await sound(page);
  });

  test('after a pause the room asks in its place who this is, and answering does not wait for it', async () => {
    const { number } = await world.raise({ text: 'Gate 3 does not close', to: { people: ['anna'] } });
    const page = await world.device();
    // What nodes say after a quarter of an hour without reading, until the password was shown.
    let shown = false;
    page.on('response', (response) => (shown ||= response.request().method() === 'POST' && response.url().endsWith('/v1/session/proof') && response.ok()));
    await page.route(/\/v1\/rooms\//, (route) => {
      if (shown) return route.continue();
      const problem = { type: 'urn:holdfast:problem:factor-wanted', title: 'Show again who you are', status: 403, detail: 'you have been away for a while' };
      return route.fulfill({ status: 403, contentType: 'application/problem+json', body: JSON.stringify(problem) });
    });
    await world.enter(page, 'anna', ['responder']);
    await page.goto(`${new URL(page.url()).origin}/incident/${number}`);
    await page.getByRole('button', { name: 'Coming' }).first().tap();
    await until('the answer is stored', async () => (await world.answerOf(number, 'anna')) === 'coming');
    await page.getByRole('button', { name: 'Room', exact: true }).tap();
    await page.getByText('Show that it is you').waitFor();
    assert.equal(await page.locator('dialog[open]').count(), 0, 'it stands in its place');
    await page.locator('.prove input').fill('not this one at all');
    await page.getByRole('button', { name: 'Confirm', exact: true }).tap();
    await page.getByText('is not your password').waitFor();
    await page.locator('.prove input').fill(PASSWORD);
    await page.getByRole('button', { name: 'Confirm', exact: true }).tap();
    await page.locator('#say').fill('I am at the gate');
    await page.getByRole('button', { name: 'Send' }).tap();
    await until('it is said', async () => (await world.ask('GET', `/v1/rooms/${number}/messages`)).messages.some((one) => one.text === 'I am at the gate'));
    await sound(page);
  });

  test('an administrator adds a second factor, enters at another node, and ends the first device from there', async () => {
    const [first, second] = [await world.device(), await world.device()];
    await world.enter(first, 'paula', ['admin'], 1);
    await first.getByText('Your role needs a second factor').waitFor();
    await first.goto(`${world.nodes[1].https}/devices`);
    await first.getByRole('button', { name: 'Add an authenticator' }).tap();
    const secret = await first.locator('.codes').first().innerText();
    await first.locator('#totp').fill(oneTimeCode(secret));
    await first.getByRole('button', { name: 'Confirm' }).tap();
    await first.getByText('Write these recovery codes down').waitFor();
    const [recovery] = await first.locator('.codes li').allInnerTexts();
    await second.goto(world.nodes[2].https);
    await second.locator('#account').fill('paula');
    await second.locator('#password').fill(PASSWORD);
    await second.locator('form .fill').tap();
    // A code of the authenticator counts once; the printed ones are for when it is gone.
    await second.getByRole('button', { name: 'Recovery code' }).tap();
    await second.locator('#code').fill(recovery);
    await second.locator('form .fill').tap();
    await second.locator('nav').first().waitFor();
    await second.goto(`${world.nodes[2].https}/devices`);
    await second.getByRole('button', { name: 'End', exact: true }).tap();
    const started = Date.now();
    await first.getByText('Your session has ended').waitFor({ timeout: 20_000 });
    console.log(`# the other device was signed out ${Date.now() - started} ms after that`);
    assert.ok(Date.now() - started < 5_000, 'a session ends on every screen at once');
    await sound(second);
  });

  test('a passkey added on a phone lets it in again without a password, until it is removed', async () => {
    const page = await world.device();
    const authenticator = await page.context().newCDPSession(page);
    await authenticator.send('WebAuthn.enable');
    await authenticator.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    });
    // Browsers make passkeys for names, not for addresses.
    const at = world.nodes[0].https.replace('127.0.0.1', 'localhost');
    await world.enter(page, 'anna', ['responder'], 0, PASSWORD, at);
    await page.goto(`${at}/devices`);
    await page.locator('#passkey-name').fill('My phone');
    await page.getByRole('button', { name: 'Add a passkey' }).tap();
    await page.getByRole('button', { name: 'Remove My phone' }).waitFor();
    const leave = async () => {
      await page.getByRole('button', { name: 'Sign out' }).first().tap();
      await page.locator('dialog[open] .fill').tap();
    };
    await leave();
    await page.getByRole('button', { name: 'Sign in with a passkey' }).tap();
    await page.locator('nav').first().waitFor();
    await page.goto(`${at}/devices`);
    await page.getByText(/used/).waitFor();
    await page.getByRole('button', { name: 'Remove My phone' }).tap();
    await page.getByRole('button', { name: 'Remove My phone' }).waitFor({ state: 'detached' });
    await leave();
    await page.getByRole('button', { name: 'Sign in with a passkey' }).tap();
    await page.getByText('That is not right').waitFor();
    await sound(page);
  });

  test('signing out, or a key that has ended, leaves nothing on the device', async () => {
    const made = await world.ask('POST', '/v1/keys', { name: 'phone', scopes: ['alert:read', 'alert:answer', 'people:read'] });
    const page = await world.device();
    const kept = world.key;
    world.key = made.key;
    await world.signIn(page);
    world.key = kept;
    await page.getByText('Nothing is asked of you').waitFor();
    await world.ask('DELETE', `/v1/keys/${made.id}`);
    const started = Date.now();
    await page.getByText('Your session has ended').waitFor({ timeout: 15_000 });
    console.log(`# signed out ${Date.now() - started} ms after the key was ended`);
    const left = await page.evaluate(() => new Promise((resolve) => {
      const open = indexedDB.open('holdfast');
      open.onsuccess = async () => {
        const names = ['keep', 'outbox', 'kit'];
        const keys = await Promise.all(names.map((name) => new Promise((done) => {
          const asked = open.result.transaction(name).objectStore(name).getAllKeys();
          asked.onsuccess = () => done(asked.result);
        })));
        resolve(keys.flat());
      };
    }));
    assert.deepEqual(left.filter((key) => !['members'].includes(key)), []);
  });
});
