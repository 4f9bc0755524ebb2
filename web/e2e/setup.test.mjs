// The first administrator sets a cluster up, with a second one, from the printed code to the answered exercise.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { enrol } from './people.mjs';
import { missing, OUT, sound, until, World } from './world.mjs';

describe('setting up', { skip: missing }, () => {
  let world;
  before(async () => {
    world = await World.start();
  });
  after(() => world?.stop());

  /** In by a printed code, as far as the second factor. */
  async function begin(page, code, node) {
    await world.accept(page, code, world.nodes[node].https);
    await page.getByRole('heading', { name: 'Your own way in' }).waitFor();
    assert.match(page.url(), /\/setup$/, 'whoever is let in first is led to what there is to do');
    await enrol(page);
  }

  test('by touch: the first administrator brings in the second one, and with those they let in they finish', async () => {
    const [phone, desk, leader] = [await world.device(), await world.device({ viewport: { width: 1280, height: 900 } }), await world.device()];
    await world.ask('PUT', '/v1/accounts/root', {});
    await world.ask('PUT', '/v1/accounts/root/roles', { roles: ['admin'] });
    const { code } = await world.ask('POST', '/v1/accounts/root/invitation', {});
    const step = (page, name) => page.locator('main li.card', { has: page.getByRole('heading', { name }) });
    const is = (page, name, state) => step(page, name).locator('h2 .chip', { hasText: state }).waitFor();

    const open = async (page, name) => {
      const head = step(page, name).locator('h2 button');
      if ((await head.getAttribute('aria-expanded')) === 'false') await head.click();
    };

    await begin(phone, code, 0);
    assert.equal(await phone.locator('.codes li').count(), 10, 'the codes stay until they are written down');
    await phone.screenshot({ path: `${OUT}setup-codes.png` });
    await phone.getByRole('button', { name: 'Next step' }).tap();
    const finish = phone.locator('main section .fill', { hasText: 'Finish the setup' });
    assert.ok(await finish.isDisabled());
    await phone.locator('#new').fill('Dora');
    await phone.getByRole('button', { name: 'Invite: Administrator' }).tap();
    const printed = await phone.locator('.secret').innerText();
    await phone.screenshot({ path: `${OUT}setup-invited.png` });

    await begin(desk, printed, 1);
    await desk.getByRole('button', { name: 'Next step' }).click();
    await is(phone, 'A second administrator', '2 / 2');
    const third = await phone.evaluate(async () => (await fetch('/v1/accounts/eve/roles', { method: 'PUT' })).status);
    assert.equal(third, 401, 'nothing is open to whoever is not signed in');
    for (const [name, state] of [['Three nodes, three sites', '3 / 3'], ['A modem and mail at each node', '3 / 3']]) await is(desk, name, state);

    await open(desk, 'Texts out and in');
    await desk.getByRole('button', { name: 'Test now' }).click();
    await is(desk, 'Texts out and in', '3 / 3');
    await is(desk, 'Prepared alerts', 'done');

    await open(phone, 'Somebody who leads incidents');
    await phone.locator('#new').fill('maria');
    await phone.getByRole('button', { name: 'Invite: Incident manager' }).tap();
    const leads = await phone.locator('.secret').innerText();
    await world.accept(leader, leads, world.nodes[2].https);
    await leader.getByRole('heading', { name: 'Nothing is asked of you' }).waitFor();
    await is(phone, 'Somebody who leads incidents', 'done');
    await open(phone, 'People who can be reached');
    await phone.getByText('An incident manager does this').waitFor();

    await leader.goto(`${world.nodes[2].https}/people`);
    await leader.getByRole('button', { name: 'Add a person' }).tap();
    await leader.locator('#person-name').fill('Åsa Öhman');
    await leader.locator('#person-number').fill('0401110030');
    const add = leader.getByRole('region', { name: 'Add a person' });
    await add.locator('.fill').tap();
    await add.getByText(/no country code/).first().waitFor();
    await leader.locator('#person-number').fill('+358401110030');
    await add.locator('.fill').tap();
    await add.getByText('Åsa Öhman is there.').waitFor();
    assert.equal((await world.ask('GET', '/v1/people/asa-ohman')).methods[0].address, '+358401110030');
    await leader.screenshot({ path: `${OUT}setup-people.png`, fullPage: true });

    await open(phone, 'A sealed card at each site');
    await phone.locator('#glass-site').fill('turku');
    await phone.getByRole('button', { name: 'Make a card' }).tap();
    await phone.locator('.secret').waitFor();
    await open(desk, 'A sealed card at each site');
    await desk.getByRole('button', { name: /^Confirm / }).click();
    await is(desk, 'A sealed card at each site', '1 / 3');

    const { number } = await world.raise({ text: 'Can you all hear this?', severity: 'normal', status: 'exercise', to: { people: ['anna'] } });
    await world.ask('POST', `/v1/alerts/${number}/answer`, { person: 'anna', answer: 'coming' });
    await is(phone, 'An exercise somebody answered', 'done');
    await desk.screenshot({ path: `${OUT}setup-desk.png`, fullPage: true });
    await until('setup can be finished', () => finish.isEnabled());
    await finish.tap();
    await phone.getByText(/Set up .*, said root/).waitFor();
    assert.equal((await world.ask('GET', '/v1/setup')).finished_by, 'account:root');
    for (const page of [phone, desk, leader]) await sound(page);
  });
});
