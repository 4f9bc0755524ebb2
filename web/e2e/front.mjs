// The app as it was just built, in front of nodes of a program built before: `HOLDFAST_WEB_DIST=dist npm test` tries a
// change of the app without building the program anew. What is not of the app goes on to the node.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TYPES = { css: 'text/css', html: 'text/html', js: 'text/javascript', json: 'application/json', png: 'image/png', svg: 'image/svg+xml', webmanifest: 'application/manifest+json' };

let pair;
function certificate() {
  const folder = mkdtempSync(join(tmpdir(), 'front-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

/** Stands in front of every node; gives their new origins. */
export async function front(nodes, dist) {
  pair ??= certificate();
  const fronts = await Promise.all(nodes.map((node) => begin(node, dist)));
  const origins = fronts.map((one) => one.origin);
  for (const one of fronts) one.members = origins;
  return fronts;
}

async function begin(node, dist) {
  const own = { origin: '', members: [], policy: '' };
  const server = createServer(pair, (asked, answer) => {
    const path = new URL(asked.url, 'https://x').pathname;
    const origin = asked.headers.origin;
    const ours = origin && own.members.includes(origin) ? { 'access-control-allow-origin': origin, 'access-control-allow-methods': 'GET, POST, PUT, DELETE', 'access-control-allow-headers': 'authorization, content-type, dpop, idempotency-key', 'access-control-expose-headers': 'date, holdfast-as-of, holdfast-site, location, retry-after', 'access-control-max-age': '7200' } : {};
    if (asked.method === 'OPTIONS') return answer.writeHead(204, ours).end();
    if (!/^\/(v1|lite|readyz)/.test(path)) return page(path, asked, answer);
    const headers = { ...asked.headers };
    if (origin && own.members.includes(origin)) for (const name of ['origin', 'sec-fetch-site', 'sec-fetch-mode']) delete headers[name];
    const onward = request(node.https + asked.url, { method: asked.method, headers, rejectUnauthorized: false, agent: false }, (from) => {
      if (path !== '/v1/about') {
        answer.writeHead(from.statusCode, { ...from.headers, ...ours });
        return from.pipe(answer);
      }
      const parts = [];
      from.on('data', (bytes) => parts.push(bytes)).on('end', () => {
        const about = { ...JSON.parse(Buffer.concat(parts)), members: own.members };
        answer.writeHead(from.statusCode, { 'content-type': 'application/json', date: from.headers.date, ...ours });
        answer.end(JSON.stringify(about));
      });
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    asked.pipe(onward);
  });
  const page = (path, asked, answer) => {
    const file = join(dist, /\.\w+$/.test(path) ? path : '/index.html');
    if (!existsSync(file)) return answer.writeHead(404).end();
    const packed = /br/.test(asked.headers['accept-encoding'] ?? '') && existsSync(`${file}.br`);
    const policy = `default-src 'none'; object-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self' ${own.members.join(' ')}; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html holdfast-sw`;
    answer.writeHead(200, { 'content-type': TYPES[file.split('.').pop()], 'content-security-policy': policy, 'cache-control': path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache', ...(packed ? { 'content-encoding': 'br' } : {}) });
    answer.end(readFileSync(packed ? `${file}.br` : file));
  };
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  own.origin = `https://127.0.0.1:${server.address().port}`;
  own.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return own;
}
