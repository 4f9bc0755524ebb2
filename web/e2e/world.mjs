// A demo cluster of real nodes, and browsers that hold the app. Nothing here is mocked but the mobile network.

import { execFile, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

// The nodes of a demo have certificates of their own making.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
process.removeAllListeners('warning');

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const OUT = fileURLToPath(new URL('./out/', import.meta.url));
export const PROGRAM = process.env.HOLDFAST_BIN ?? `${process.env.CARGO_TARGET_DIR ?? `${ROOT}/target`}/debug/holdfast`;
const BROWSER = process.env.HOLDFAST_CHROMIUM ?? '/usr/bin/chromium';

/** Why these tests cannot run here; undefined when they can. */
export const missing = !existsSync(PROGRAM) ? `no program at ${PROGRAM}: cargo build -p holdfast` : !existsSync(BROWSER) ? `no browser at ${BROWSER}` : undefined;

mkdirSync(OUT, { recursive: true });

export const PASSWORD = 'turquoise kettle gravel 91';

/** What an authenticator shows (RFC 6238). */
export function oneTimeCode(secret) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret.replaceAll(/[\s=]/g, '')].map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac('sha1', Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)))).update(counter).digest();
  return String((hash.readUInt32BE(hash[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

export async function until(what, look, time = 20_000) {
  const end = Date.now() + time;
  let last;
  while (Date.now() < end) {
    try {
      const found = await look();
      if (found) return found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  throw new Error(`not within ${time} ms: ${what}`, { cause: last });
}

export class World {
  static async start() {
    const world = new World();
    world.demo = spawn(PROGRAM, ['--json', 'demo'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, said] = ['', ''];
    world.demo.stdout.on('data', (bytes) => (out += bytes));
    world.demo.stderr.on('data', (bytes) => (said += bytes));
    const facts = await until('the demo is up', () => {
      if (world.demo.exitCode !== null) throw new Error(said);
      return out.includes('"world"') && JSON.parse(out);
    }, 90_000);
    world.nodes = facts.nodes.map((node) => ({ ...node, restarted: null }));
    world.outside = facts.world;
    world.key = readFileSync(facts.key_file, 'utf8').trim();
    world.browser = await chromium.launch({
      executablePath: BROWSER,
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--ignore-certificate-errors'],
    });
    return world;
  }

  async stop() {
    await this.browser?.close();
    for (const node of this.nodes ?? []) node.restarted?.kill('SIGKILL');
    this.demo.kill('SIGTERM');
    await until('the demo has ended', () => this.demo.exitCode !== null || this.demo.signalCode !== null, 20_000).catch(() => this.demo.kill('SIGKILL'));
  }

  /** Asks whichever node answers. */
  async ask(method, path, body, key = this.key) {
    let last;
    for (const node of this.nodes) {
      if (node.dead) continue;
      try {
        const headers = { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}) };
        const response = await fetch(node.https + path, { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(15_000) });
        const text = await response.text();
        if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
        return text ? JSON.parse(text) : undefined;
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  async raise(body) {
    const raised = await this.ask('POST', '/v1/alerts', { severity: 'critical', ...body });
    await until('somebody is called', async () => (await this.alert(raised.number)).called.length > 0);
    return raised;
  }

  /** What an emulated phone received, oldest first. */
  async texts(number) {
    const { stdout } = await promisify(execFile)(PROGRAM, ['--json', 'demo', 'phones', '--world', this.outside, number]);
    return JSON.parse(stdout).phones.flatMap((phone) => phone.inbox.map((message) => message.text));
  }

  alert(number) {
    return this.ask('GET', `/v1/alerts/${number}?consistency=linearizable`);
  }

  async answerOf(number, person) {
    return (await this.alert(number)).called.find((call) => call.person.key === person)?.answer ?? null;
  }

  /** Closes every page and ends every alert. */
  async clear() {
    for (const context of this.browser.contexts()) await context.close();
    for (const [index, node] of this.nodes.entries()) if (node.dead) await this.revive(index);
    for (const alert of (await this.ask('GET', '/v1/alerts?state=open')).alerts) await this.ask('POST', `/v1/alerts/${alert.id}/resolve`, {});
  }

  kill(index) {
    const node = this.nodes[index];
    node.dead = true;
    if (node.restarted) node.restarted.kill('SIGKILL');
    else process.kill(node.pid, 'SIGKILL');
  }

  async revive(index) {
    const node = this.nodes[index];
    node.restarted = spawn(PROGRAM, ['--config', node.config, 'run'], { stdio: 'ignore' });
    await until(`node ${node.node} is back`, async () => (await fetch(`${node.https}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok, 40_000);
    node.dead = false;
  }

  /** A phone (or another screen) with the app on it. What the pages' policy forbids, and any error, fails the test. */
  async device(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 390, height: 844 }, locale: 'en-GB', hasTouch: true, ignoreHTTPSErrors: true, ...options });
    await context.addInitScript(() => {
      globalThis.violations = [];
      document.addEventListener('securitypolicyviolation', (event) => globalThis.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
    });
    const page = await context.newPage();
    page.wrong = [];
    page.on('pageerror', (error) => page.wrong.push(`${error.message} ${error.stack ?? ''}`));
    page.on('console', (message) => {
      // That a node does not answer, or says no, is what some of these tests are about; and what a device keeps, the app erases
      // itself: its questions carry no cookies, so that the browser does not take a node's word for it.
      if (message.type() === 'error' && !/ERR_|Failed to load resource|Clear-Site-Data/.test(message.text())) page.wrong.push(message.text());
    });
    return page;
  }

  /** Makes an account and lets one device in by an invitation, as people get in. */
  async enter(page, person, roles, node = 0, password = PASSWORD, at = this.nodes[node].https) {
    await this.ask('PUT', `/v1/accounts/${person}`, { person });
    await this.ask('PUT', `/v1/accounts/${person}/roles`, { roles });
    const { code } = await this.ask('POST', `/v1/accounts/${person}/invitation`, {});
    await this.accept(page, code, at, password);
  }

  /** Types the code of an invitation in. */
  async accept(page, code, at, password = PASSWORD) {
    await page.goto(at);
    await page.getByRole('button', { name: 'I have an invitation' }).click();
    await page.locator('#invitation').fill(code);
    await page.locator('#new-password').fill(password);
    await page.locator('form .fill').click();
    await page.locator('nav').first().waitFor();
  }

  async signIn(page, person = 'anna', node = 0) {
    await page.goto(this.nodes[node].https);
    await page.getByRole('button', { name: /Key of the API|API/ }).click();
    await page.locator('#key').fill(this.key);
    await page.locator('#person').fill(person);
    await page.locator('form .fill').click();
    await page.locator('nav').first().waitFor();
  }
}

/** What must hold of every page at every end of a test. */
export async function sound(page) {
  const violations = await page.evaluate(() => globalThis.violations).catch(() => []);
  const wrong = [...page.wrong, ...violations];
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
}
