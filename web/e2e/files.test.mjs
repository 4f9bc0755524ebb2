// A photo and a plan go through a room: seen by the others, on every node, and refused when they lie.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { missing, sound, until, World } from './world.mjs';

const DOT = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');

describe('files in rooms', { skip: missing }, () => {
  let world;
  before(async () => {
    world = await World.start();
  });
  afterEach(() => world.clear());
  after(() => world?.stop());
  const files = async (number) => (await world.ask('GET', `/v1/rooms/${number}/files`)).files;
  const open = (page, number) => page.goto(`${new URL(page.url()).origin}/incident/${number}`);

  test('a photo is seen by the others and is soon on every node', async () => {
    const { number } = await world.raise({ text: 'The gate is blocked', to: { people: ['anna', 'bjorn'] } });
    const [anna, bjorn] = [await world.device(), await world.device({ viewport: { width: 1280, height: 900 } })];
    await world.signIn(anna, 'anna', 0);
    await world.signIn(bjorn, 'bjorn', 1);
    await open(bjorn, number);
    await open(anna, number);
    await anna.getByRole('button', { name: 'Room' }).tap();
    await anna.getByLabel('Attach a photo or file').setInputFiles({ name: 'gate.png', mimeType: 'image/png', buffer: DOT });
    await anna.getByLabel('What it shows or holds').fill('Gate 4 seen from the east');
    await anna.locator('.room form .fill').tap();
    const picture = bjorn.locator('.said img[alt="Gate 4 seen from the east"]');
    await picture.waitFor({ timeout: 15_000 });
    await until('the picture is drawn', () => picture.evaluate((image) => image.naturalWidth > 0));
    assert.equal(await bjorn.locator('.said').getByText('[gate.png', { exact: false }).count(), 0, 'the line that stands for it is not shown beside it');
    const [file] = await until('every node holds it', async () => {
      const all = await files(number);
      return all[0]?.stored_on.length === all[0]?.nodes && all;
    });
    assert.equal(file.name, 'gate.png');
    for (const page of [anna, bjorn]) await sound(page);
  });

  test('what is not what its name says is refused with the reason, and nothing is said', async () => {
    const { number } = await world.raise({ text: 'Plans, please', to: { people: ['anna'] } });
    const page = await world.device({ viewport: { width: 1280, height: 900 } });
    await world.signIn(page);
    await open(page, number);
    await page.getByLabel('Attach a photo or file').setInputFiles({ name: 'plan.pdf', mimeType: 'application/pdf', buffer: Buffer.from('MZ this is a program') });
    await page.locator('.room form .fill').click();
    await page.getByText('by its name the file is a PDF').waitFor({ timeout: 15_000 });
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('#say').waitFor();
    assert.deepEqual(await files(number), []);
  });

  test('a plan is put, looked at again, renewed and taken out', async () => {
    await world.ask('PUT', '/v1/accounts/anna', { person: 'anna' });
    await world.ask('PUT', '/v1/accounts/anna/roles', { roles: ['incident-manager'] });
    const page = await world.device();
    await world.signIn(page);
    await page.goto(`${new URL(page.url()).origin}/incidents`);
    const stored = async () => (await world.ask('GET', '/v1/documents')).documents.find((one) => one.title === 'Evacuation of hall 2');
    const change = page.getByRole('button', { name: 'Change a plan: Evacuation of hall 2' });
    const save = page.getByRole('button', { name: 'Save', exact: true });
    const file = (name, text) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });

    await page.getByRole('button', { name: 'Add a plan' }).tap();
    await page.getByLabel('Title').fill('Evacuation of hall 2');
    await page.getByLabel('File', { exact: true }).setInputFiles(file('hall-2.txt', 'Out by the east gate.'));
    await page.getByLabel('Who answers for it').selectOption({ label: 'Björn Lindqvist' });
    await page.getByLabel('To be looked at again by').fill('2020-02-29');
    await page.getByRole('group', { name: 'Scenarios' }).getByRole('checkbox').first().check();
    await save.tap();
    await page.getByText('Nobody has looked at it again in time').waitFor({ timeout: 15_000 });
    const put = await stored();
    assert.deepEqual([put.key, put.owner.key, put.templates.length, put.version, put.overdue], ['evacuation-of-hall-2', 'bjorn', 1, 1, true]);

    await change.tap();
    await page.getByText('Stays hall-2.txt').waitFor();
    await page.getByLabel('To be looked at again by').fill('2031-02-28');
    await save.tap();
    await page.getByText('Nobody has looked at it again in time').waitFor({ state: 'detached', timeout: 15_000 });
    assert.equal((await stored()).version, 1, 'the same file');

    await change.tap();
    await page.getByLabel('File', { exact: true }).setInputFiles(file('hall-2-new.txt', 'Out by the west gate.'));
    await save.tap();
    await until('it is another file', async () => (await stored()).version === 2);
    assert.equal((await stored()).file.name, 'hall-2-new.txt');

    await change.tap();
    await page.getByRole('button', { name: 'Take it out …' }).tap();
    await page.getByRole('button', { name: 'Take it out', exact: true }).tap();
    await change.waitFor({ state: 'detached', timeout: 15_000 });
    assert.equal(await stored(), undefined);
    await sound(page);
  });
});
