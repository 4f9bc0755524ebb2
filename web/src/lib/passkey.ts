// Passkeys: the browser's part of signing in without a password (Web Authentication Level 2).

import { nodes } from './nodes.svelte';

export type Enrolment = { challenge: string; domain: string; user: string; account: string; name: string };
export type Passkey = { id: string; name: string; added_at: string; used_at: string | null };

/** Whether this browser has passkeys, and this page belongs to the domain they are for. */
export function offered(domain?: string): boolean {
  const here = globalThis.location?.hostname ?? '';
  return 'PublicKeyCredential' in globalThis && (domain === undefined || here === domain || here.endsWith(`.${domain}`));
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
}

function base64url(buffer: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Makes a passkey and adds it to the account. */
export async function enrol(about: Enrolment, known: Passkey[], name: string): Promise<void> {
  const made = (await navigator.credentials.create({
    publicKey: {
      challenge: bytes(about.challenge),
      rp: { id: about.domain, name: 'Holdfast' },
      user: { id: bytes(about.user), name: about.account, displayName: about.name },
      pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
      excludeCredentials: known.map((one) => ({ type: 'public-key', id: bytes(one.id) })),
      authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
      attestation: 'none',
      timeout: 240_000,
    },
  })) as PublicKeyCredential;
  const response = made.response as AuthenticatorAttestationResponse;
  await nodes.ask('POST', '/v1/session/passkeys', {
    name,
    client_data: base64url(response.clientDataJSON),
    authenticator_data: base64url(response.getAuthenticatorData()),
  });
}

export type Asked = { challenge: string; domain: string };

/** Has a passkey sign what a node asks for; what to send back to sign in. */
export async function sign(): Promise<Record<string, string>> {
  return answer((await nodes.get<Asked>('/v1/sign-in/passkey')).body);
}

/** Has a passkey sign this. */
export async function answer(asked: Asked): Promise<Record<string, string>> {
  const found = (await navigator.credentials.get({
    publicKey: { challenge: bytes(asked.challenge), rpId: asked.domain, userVerification: 'required', timeout: 240_000 },
  })) as PublicKeyCredential;
  const response = found.response as AuthenticatorAssertionResponse;
  return {
    id: base64url(found.rawId),
    client_data: base64url(response.clientDataJSON),
    authenticator_data: base64url(response.authenticatorData),
    signature: base64url(response.signature),
  };
}

/** Whether somebody only closed the browser's window. */
export const cancelled = (error: unknown): boolean => error instanceof DOMException && (error.name === 'NotAllowedError' || error.name === 'AbortError');
