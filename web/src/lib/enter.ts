// The ways in. Fetched with the screen that offers them.

import { publicKey, type PublicJwk } from './device';
import { nodes } from './nodes.svelte';
import { sign } from './passkey';
import { session, type Attempt, type Entered } from './session.svelte';

async function device(): Promise<{ name: string; key: PublicJwk }> {
  const agent = navigator.userAgent;
  const system = /Android|iPhone|iPad|Windows|Mac OS|Linux/.exec(agent)?.[0] ?? 'Browser';
  const browser = /Firefox|Edg|Chrome|Safari/.exec(agent)?.[0] ?? '';
  return { name: `${system} ${browser}`.trim(), key: await publicKey() };
}

async function ask(path: string, body: object): Promise<Attempt | null> {
  const answer = await nodes.ask<Attempt | Entered>('POST', path, body);
  return session.take(answer.body);
}

export const withPassword = async (account: string, password: string): Promise<Attempt | null> => ask('/v1/sign-in', { account, password, device: await device() });

export const withCode = (attempt: string, factor: string, code: string): Promise<Attempt | null> => ask(`/v1/sign-in/${encodeURIComponent(attempt)}`, { factor, code });

export async function sendText(attempt: string): Promise<void> {
  await nodes.ask('POST', `/v1/sign-in/${encodeURIComponent(attempt)}/text`, {});
}

export const withInvitation = async (code: string, password: string): Promise<Attempt | null> => ask('/v1/invitations/accept', { code, ...(password ? { password } : {}), device: await device() });

/** By a sealed card, when nothing else works. */
export const withCard = async (code: string): Promise<Attempt | null> => ask('/v1/sign-in/glass', { code, device: await device() });

/** By a passkey alone. */
export const withPasskey = async (): Promise<Attempt | null> => ask('/v1/sign-in/passkey', { ...(await sign()), device: await device() });

/** By a key of the API. Whoever says who they are may answer in that name as far as the key allows. */
export async function withKey(key: string, person: string): Promise<void> {
  nodes.credential = { kind: 'key', key };
  try {
    await nodes.get('/v1/alerts?state=open&limit=1');
    const found = person ? (await nodes.get<{ name: string }>(`/v1/people/${encodeURIComponent(person)}`)).body : null;
    await nodes.signIn({ kind: 'key', key });
    await session.enter({ name: found?.name ?? '', person: person || null, roles: [], permissions: null });
  } catch (error) {
    nodes.credential = null;
    throw error;
  }
}
