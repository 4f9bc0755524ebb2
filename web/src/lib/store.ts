// What this device keeps: one IndexedDB of a few tables, with promises. Whatever is about people is encrypted with a key
// that cannot leave the browser (SECURITY §2.6).

const NAME = 'holdfast';
const TABLES = ['keep', 'outbox', 'kit'] as const;
type Table = (typeof TABLES)[number];

let opened: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => TABLES.forEach((table) => request.result.createObjectStore(table));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function ask<T>(table: Table, mode: IDBTransactionMode, what: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const transaction = (await open()).transaction(table, mode, { durability: 'strict' });
  const request = what(transaction.objectStore(table));
  await done(transaction);
  return request.result;
}

/** A write counts once it is on the disk, not when it was asked for. */
function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

/** How often everything was forgotten. What was begun before is not kept after. */
let forgotten = 0;
export const life = (): number => forgotten;

export const get = <T>(table: Table, key: string): Promise<T | undefined> => ask(table, 'readonly', (store) => store.get(key));
export const all = <T>(table: Table): Promise<T[]> => ask(table, 'readonly', (store) => store.getAll());
export const remove = (table: Table, key: string): Promise<undefined> => ask(table, 'readwrite', (store) => store.delete(key));

/** Keeps a value that was come by during `during`, a `life`. Of one that has ended nothing is kept. */
export async function put(table: Table, key: string, value: unknown, during = forgotten): Promise<void> {
  await open();
  if (during === forgotten) await ask(table, 'readwrite', (store) => store.put(value, key));
}

/** Forgets everything at once: signing out leaves nothing on the device. */
export async function wipe(): Promise<void> {
  forgotten += 1;
  sealing = undefined;
  const transaction = (await open()).transaction(TABLES, 'readwrite', { durability: 'strict' });
  for (const table of TABLES) transaction.objectStore(table).clear();
  await done(transaction);
}

let sealing: Promise<CryptoKey> | undefined;

const knownKey = (): Promise<CryptoKey | undefined> => get('keep', 'sealing-key');
const newKey = (): Promise<CryptoKey> => crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);

function sealingKey(during: number): Promise<CryptoKey> {
  // Of a life that has ended nothing is kept, nor is a key for it.
  if (during !== forgotten) return newKey();
  sealing ??= (async () => {
    const known = await knownKey();
    if (known) return known;
    const made = await newKey();
    await put('keep', 'sealing-key', made, during);
    return made;
  })();
  return sealing;
}

export type Sealed = { nonce: Uint8Array<ArrayBuffer>; bytes: ArrayBuffer };

/** Encrypts for this device, during a `life`. `bound` names where it is kept: moved elsewhere it does not open. */
export async function seal(value: unknown, bound: string, during: number): Promise<Sealed> {
  const nonce = crypto.getRandomValues(new Uint8Array(12));
  const text = new TextEncoder();
  const algorithm = { name: 'AES-GCM', iv: nonce, additionalData: text.encode(bound) };
  return { nonce, bytes: await crypto.subtle.encrypt(algorithm, await sealingKey(during), text.encode(JSON.stringify(value))) };
}

export async function unseal<T>(sealed: Sealed, bound: string): Promise<T | undefined> {
  try {
    const key = await (sealing ?? knownKey());
    if (!key) return undefined;
    const algorithm = { name: 'AES-GCM', iv: sealed.nonce, additionalData: new TextEncoder().encode(bound) };
    return JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, key, sealed.bytes)));
  } catch {
    return undefined;
  }
}
