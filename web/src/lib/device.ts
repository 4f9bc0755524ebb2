// Who asks: a key of this device that cannot be taken out of it, and a proof for every request made with it (RFC 9449).

import * as store from './store';

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256' } as const;

let pair: Promise<CryptoKeyPair> | undefined;

function keyPair(): Promise<CryptoKeyPair> {
  const during = store.life();
  pair ??= (async () => {
    const known = await store.get<CryptoKeyPair>('keep', 'device-key');
    if (known) return known;
    const made = await crypto.subtle.generateKey(ECDSA, false, ['sign', 'verify']);
    await store.put('keep', 'device-key', made, during);
    return made;
  })();
  return pair;
}

/** Whether this device has a key: it was signed in before, or is about to be. */
export const hasKey = async (): Promise<boolean> => pair !== undefined || (await store.get('keep', 'device-key')) !== undefined;

export function forgetKeys(): void {
  pair = undefined;
}

export type PublicJwk = { kty: string; crv: string; x: string; y: string };

export async function publicKey(): Promise<PublicJwk> {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', (await keyPair()).publicKey);
  return { kty: kty!, crv: crv!, x: x!, y: y! };
}

function base64url(bytes: ArrayBuffer | Uint8Array): string {
  const text = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

const encode = (value: unknown): string => base64url(new TextEncoder().encode(JSON.stringify(value)));

/** How far this device's clock is from the nodes', ms: a proof is good for a minute, and phones are wrong by more. */
let skew = 0;

export function noteServerTime(date: string | null): void {
  const at = date ? Date.parse(date) : Number.NaN;
  if (!Number.isNaN(at)) skew = at - Date.now();
}

/** Proves for one request to one node that the holder of `token` asks. */
export async function proof(method: string, url: string, token: string): Promise<string> {
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: await publicKey() };
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token));
  const claims = {
    htm: method,
    htu: url.split('?')[0],
    iat: Math.floor((Date.now() + skew) / 1000),
    jti: crypto.randomUUID(),
    ath: base64url(hash),
  };
  const signed = `${encode(header)}.${encode(claims)}`;
  const { privateKey } = await keyPair();
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, new TextEncoder().encode(signed));
  return `${signed}.${base64url(signature)}`;
}
