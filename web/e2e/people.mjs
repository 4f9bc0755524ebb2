// Setting up what the newer screens show: roles and records of an incident, accounts, and somebody of each role.

import { oneTimeCode } from './world.mjs';

/** An incident under way, with a leader, facts, a decision and a message that was worded anew. */
export async function led(world) {
  const { number, id } = await world.raise({ text: 'Pump 3 has tripped, water is rising in the turbine hall', gather: 'Gate 3, then control room 2', steps: [{ groups: ['duty', 'field'] }], needed: 4 });
  for (const [person, answer, eta_minutes] of [['bjorn', 'coming', 10], ['carol', 'coming', 25], ['daavid', 'cannot'], ['helmi', 'need_help'], ['jouni', 'coming', 40]]) await world.ask('POST', `/v1/alerts/${number}/answer`, { person, answer, ...(eta_minutes ? { eta_minutes } : {}) });
  for (const [role, person] of [['leader', 'bjorn'], ['scribe', 'helmi']]) await world.ask('POST', `/v1/alerts/${number}/acts`, { act: 'role', role, person, reason: 'Closest to the hall' });
  const say = (person, text, more = {}) => world.ask('POST', `/v1/rooms/${number}/messages`, { person, text, ...more });
  await say('bjorn', 'On my way with the mobile pump, ten minutes');
  const stairs = await say('helmi', 'The stairs to B2 are under water. I need somebody with a radio.');
  const wording = await say('anna', 'I have one. Meet me at gate 3.');
  await world.ask('POST', `/v1/rooms/${number}/messages/${wording.sequence}/edit`, { person: 'anna', text: 'I have two. Meet me at gate 3.' });
  await say('bjorn', 'We cut the power of hall 2 now.', { mark: 'decision', unknown: 'Whether anybody is still in the cable tunnel.' });
  await world.ask('POST', `/v1/rooms/${number}/messages/${stairs.sequence}/pin`, { person: 'bjorn', pinned: true });
  for (const person of ['bjorn', 'carol', 'helmi']) await world.ask('POST', `/v1/rooms/${number}/read`, { person, message: String(wording.sequence) });
  await world.ask('POST', `/v1/rooms/${number}/guests`, { name: 'Kai Laine, Fire Brigade', number: '+358401110020' });
  for (const [person, by] of [['daavid', 'sms'], ['elin', 'email']]) await world.ask('PUT', `/v1/rooms/${number}/followers/${person}`, { by });
  return { number, id };
}

/** Somebody who got a number in the night, with another one's word. */
export async function renumbered(world) {
  const path = '/v1/people/maija';
  await world.ask('PUT', path, { name: 'Maija Salo', methods: [{ kind: 'email', address: 'maija@aurora.example' }] });
  await world.ask('POST', `${path}/number-change`, { to: '+358401119001', by: 'Anna Virtanen' });
  const { key } = await world.ask('POST', '/v1/keys', { name: 'another one', scopes: ['people:write'] });
  await world.ask('POST', `${path}/number-change/vouch`, { by: 'Björn Lindqvist' }, key);
}

/** Lets somebody of this role in, with the second factor that the role asks for. */
export async function enter(world, page, person, roles, node = 0) {
  await world.enter(page, person, roles, node);
  await page.goto(`${world.nodes[node].https}/devices`);
  return enrol(page);
}

/** Adds a second factor where the page offers it; the codes to write down. */
export async function enrol(page) {
  await page.getByRole('button', { name: 'Add an authenticator' }).click();
  const secret = await page.locator('.codes').first().innerText();
  await page.locator('#totp').fill(oneTimeCode(secret));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('Write these recovery codes down').waitFor();
  return (await page.locator('.codes li').allInnerTexts()).map((code) => code.trim());
}

/** Signs in where no script runs. */
export async function signInLite(page, world, account, password, code, node = 0) {
  await page.goto(`${world.nodes[node].https}/lite?lang=en`);
  await page.locator('#account').fill(account);
  await page.locator('#password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByLabel('Recovery code').check();
  await page.locator('#code').fill(code);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}
