// One incident from the first touch to the end, as people live it: a desk, two phones and a bare one, and a node that dies in
// the middle. Pictures of every stage are kept for people to look at.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { after, before, describe, test } from 'node:test';
import { missing, OUT, PROGRAM, sound, until, World } from './world.mjs';

describe('a whole incident', { skip: missing }, () => {
  let world;
  before(async () => {
    world = await World.start();
  });
  after(() => world?.stop());

  test('raised, answered, led, handed over and dealt with, while a node dies', async () => {
    const desk = await world.device({ viewport: { width: 1440, height: 900 }, hasTouch: false });
    const phone = await world.device({ colorScheme: 'dark' });
    const deputy = await world.device({ viewport: { width: 412, height: 915 } });
    await world.enter(desk, 'anna', ['incident-manager'], 0);
    await world.enter(phone, 'bjorn', ['responder'], 0);
    await world.enter(deputy, 'carol', ['duty-officer'], 2);
    let stage = 0;
    const keep = async (name, ...pages) => {
      stage += 1;
      for (const page of pages) await page.screenshot({ path: `${OUT}story-${String(stage).padStart(2, '0')}-${name}-${page === desk ? 'desk' : page === phone ? 'phone' : 'deputy'}.png` });
    };
    const room = async (page) => page.locator('.tabs').getByRole('button', { name: 'Room' }).tap();
    const say = async (page, words) => {
      await page.locator('#say').fill(words);
      await page.locator('.room form .fill').click();
    };
    const play = async () => {
      await keep('calm', desk, phone);

      // Whatever else is on the screen.
      await deputy.getByRole('link', { name: 'Duty' }).tap();
      await deputy.getByRole('heading', { name: 'Duty' }).waitFor();

      // One button.
      await desk.getByRole('link', { name: 'Raise an alert' }).click();
      await desk.getByRole('button', { name: /Water in a hall/ }).click();
      await desk.locator('#p-pump').fill('Pump 3');
      await desk.locator('#text').fill('Bring waders and the mobile pump.');
      const others = desk.getByRole('button', { name: 'Choose others' });
      if (await others.count()) await others.click();
      for (const name of ['Björn Lindqvist', 'Carol Hughes', 'Helmi']) {
        await desk.locator('#whom-search').fill(name.split(' ')[0]);
        await desk.getByRole('button', { name: new RegExp(name) }).first().click();
      }
      await desk.getByText('Alert 3 people').waitFor();
      await keep('check', desk);
      await desk.locator('button.hold').dispatchEvent('pointerdown', { button: 0 });
      await desk.waitForURL(/\/incident\/\d+/, { timeout: 10_000 });
      const number = desk.url().split('/').pop();

      // Answers: an app, another one, and a phone that knows texts only.
      await phone.locator('.answer.yes').waitFor();
      await keep('asked', phone);
      await phone.getByRole('button', { name: 'Coming' }).tap();
      await phone.getByRole('button', { name: '10 min' }).tap();
      const heard = deputy.locator('header').getByRole('link', { name: 'You are asked' });
      await heard.waitFor();
      await keep('elsewhere', deputy);
      await heard.tap();
      await deputy.locator('.answer.yes').waitFor();
      await deputy.getByRole('button', { name: 'Coming' }).tap();
      const bare = (await world.ask('GET', '/v1/people/helmi')).methods.find((one) => one.kind === 'sms').address;
      const text = await until('the text is on the phone', async () => (await world.texts(bare)).find((one) => one.includes('Pump 3')), 40_000);
      const [, code] = /\b([A-Z0-9]{4,6}) [12]\b/.exec(text) ?? [];
      assert.ok(code, text);
      const [{ number: modem }] = (await world.ask('GET', '/v1/number-card')).numbers;
      await promisify(execFile)(PROGRAM, ['demo', 'text', '--world', world.outside, bare, modem, `${code} 1`]);
      await desk.locator('.tally li.yes b', { hasText: '3' }).waitFor({ timeout: 20_000 });
      await desk.getByRole('button', { name: 'I lead' }).click();
      await desk.locator('header.head').getByText('Anna Virtanen leads').waitFor();
      await phone.locator('header').getByText('Anna Virtanen leads').waitFor();
      await keep('led', desk, phone);

      // The room.
      await phone.getByRole('link', { name: /Open the room/ }).tap();
      await room(phone);
      await say(phone, 'Ten minutes out with the mobile pump. Which gate?');
      await desk.locator('.said').getByText('Which gate?').waitFor();
      await say(desk, 'Gate 3. Björn, the stairs to B2 are under water.');
      await phone.locator('.said').getByText('Gate 3. Björn').waitFor();
      await keep('room', desk, phone);

      // The node that the desk and the phone came by dies.
      world.kill(0);
      await desk.locator('#say').fill('We cut the power of hall 2 now.');
      await desk.getByLabel('For the record').selectOption('decision');
      await desk.locator('#unknown').fill('Whether anybody is still in the cable tunnel.');
      await desk.locator('.room form .fill').click();
      await phone.locator('.said').getByText('We cut the power of hall 2 now.').waitFor({ timeout: 30_000 });
      for (const page of [desk, phone]) await page.getByText(/through n[23]/).waitFor();
      await keep('node-dead', desk, phone);
      await say(phone, 'At gate 3. The water stands at the second step.');
      await desk.locator('.said').getByText('At gate 3. The water').waitFor({ timeout: 20_000 });
      await desk.getByRole('button', { name: 'What to do with the message of Björn Lindqvist' }).last().click();
      await desk.getByRole('button', { name: 'Pin as a fact' }).click();
      await phone.locator('.pinned').getByText('The water stands at the second step').waitFor({ timeout: 20_000 });

      // The night goes on without her.
      await desk.locator('header.head').getByRole('button', { name: 'Hand over' }).click();
      await desk.locator('#role-to').selectOption('carol');
      await desk.locator('#briefing').fill('Power of hall 2 is off. The cable tunnel is not searched. Björn is at gate 3 with the pump.');
      await keep('hand-over', desk);
      await desk.locator('dialog[open]').getByRole('button', { name: 'Hand over' }).click();
      await deputy.getByRole('link', { name: /Open the room/ }).tap();
      await deputy.locator('header.head').getByText('Carol Hughes leads').waitFor({ timeout: 20_000 });
      await phone.getByText('Carol Hughes leads').first().waitFor({ timeout: 20_000 });
      await room(deputy);
      await deputy.locator('.said').getByText('The cable tunnel is not searched').waitFor();
      await deputy.getByLabel('For the record').selectOption('diary');
      await say(deputy, 'Tunnel searched and empty, 03:40.');
      await phone.locator('.said').getByText('Tunnel searched and empty').waitFor({ timeout: 20_000 });
      const last = await phone.getByRole('log', { name: 'Room' }).evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight);
      assert.ok(last < 80, `whoever reads at the end sees what is said: ${last} px are below`);
      await deputy.locator('.tabs').getByRole('button', { name: 'Steer' }).tap();
      await deputy.getByRole('button', { name: 'Tell more' }).tap();
      await deputy.locator('#more-text').fill('The water is falling. Gate 3 stays closed until six.');
      await deputy.locator('dialog[open] .fill').tap();
      await keep('steer', deputy);
      await until('the bare phone reads it', async () => (await world.texts(bare)).some((one) => one.includes('The water is falling')), 60_000);

      // Over, and shown afterwards, while the node is still gone.
      await deputy.getByRole('button', { name: 'Dealt with' }).tap();
      await deputy.locator('#why').fill('Pumped dry, pump 3 runs again');
      await deputy.locator('dialog[open] .fill').tap();
      await until('it is dealt with', async () => (await world.alert(number)).state === 'resolved');
      await phone.getByText('Dealt with').first().waitFor({ timeout: 20_000 });
      await deputy.locator('.tabs').getByRole('button', { name: 'Log' }).tap();
      await deputy.getByRole('button', { name: 'Check the chain' }).tap();
      await deputy.getByText(/intact|unbroken|as it was written/i).first().waitFor({ timeout: 20_000 });
      await keep('over', desk, phone, deputy);
      await world.revive(0);
      await until('what was said while it was gone is on the node that came back', async () => {
        const answer = await fetch(`${world.nodes[0].https}/v1/rooms/${number}/messages?limit=500`, { headers: { authorization: `Bearer ${world.key}` } });
        return (await answer.json()).messages.some((one) => one.text.includes('Tunnel searched'));
      });
      await phone.getByRole('link', { name: 'Now' }).tap();
      await phone.getByText('Nothing is asked of you').waitFor();
      for (const page of [desk, phone, deputy]) await sound(page);
    };
    // A story that breaks off leaves its last pictures.
    await play().catch(async (error) => {
      await keep('broken', desk, phone, deputy);
      throw error;
    });
  });
});
