// Files in rooms on their way: made ready on this device, sent in pieces that go on where they stopped, and fetched from
// whichever node holds them.

import { nodes, Refused, Unreachable, type Problem } from '../lib/nodes.svelte';

/** What nodes take, as browsers ask for it when a file is chosen. */
export const TAKEN = '.jpg,.jpeg,.png,.webp,.pdf,.txt,.log,.csv,.docx,.xlsx,.pptx,image/*';
/** Bytes of one piece: on a slow link each gets through well within a node's patience. */
const PIECE = 128 * 1024;
/** How long a piece may take, ms. */
const PATIENCE = 45_000;
/** How long a whole file may take to come, ms. */
const WHOLE = 300_000;
/** How often all nodes are tried before the file is given back, and how long between, ms. */
const ROUNDS = 5;
const PAUSE = 2_000;
/** A photo is made no larger than this on its longer side: enough to read a sign by, little enough for a bad link. */
const SIDE = 2_048;

type Upload = { received: number; size: number; complete: boolean };

/** A photo as it is sent: smaller, and without what the camera wrote into it, such as the place. Other files as they are. */
async function ready(file: File): Promise<File> {
  if (!/^image\/(jpeg|png|webp|hei[cf])$/.test(file.type)) return file;
  try {
    const picture = await createImageBitmap(file);
    const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
    canvas.getContext('2d')!.drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    const kind = file.type === 'image/png' ? 'image/png' : 'image/jpeg';
    const made = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, kind, 0.85));
    if (!made) return file;
    const name = kind === 'image/jpeg' ? `${file.name.replace(/\.[^.]*$/, '') || 'photo'}.jpg` : file.name;
    return new File([made], name, { type: kind });
  } catch {
    // Not a picture this browser can read: a node looks at it.
    return file;
  }
}

/** A file on its way into a room. Begun again, it goes on where it stopped. */
export class Sending {
  /** As it is sent. */
  readonly made: Promise<File>;
  #path = '';
  #key = crypto.randomUUID();

  constructor(readonly file: File) {
    this.made = ready(file);
  }

  /** The room knows of it: what is said with it stands. */
  get announced(): boolean {
    return this.#path !== '';
  }

  /** Brings it in; gives the id it has there. */
  async to(room: string, said: Record<string, unknown>, progress: (part: number) => void, stop: AbortSignal): Promise<string> {
    const made = await this.made;
    try {
      this.#path ||= await announce(room, made, said, this.#key);
      await send(this.#path, made, progress, stop);
      return this.#path.split('/').at(-1) ?? '';
    } catch (error) {
      // What a node looked at and did not take is announced anew.
      if (error instanceof Refused && [404, 422].includes(error.problem.status)) [this.#path, this.#key] = ['', crypto.randomUUID()];
      throw error;
    }
  }
}

/** Says that a file is on its way; the path it is sent to. */
async function announce(room: string, file: File, said: Record<string, unknown>, key: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  const sha256 = [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const path = `/v1/rooms/${encodeURIComponent(room)}/files`;
  const { body } = await nodes.ask<{ file: string }>('POST', path, { name: file.name, size: file.size, sha256, ...said }, { idempotencyKey: key });
  return `${path}/${body.file}`;
}

/** Sends the bytes to one node after the other until one has them all. */
async function send(path: string, file: File, progress: (part: number) => void, stop: AbortSignal): Promise<void> {
  let last: unknown = new Unreachable();
  for (let round = 0; round < ROUNDS; round++) {
    for (const node of order()) {
      try {
        return await sendTo(node, path, file, progress, stop);
      } catch (error) {
        if (stop.aborted || (error instanceof Refused && final(error.problem.status))) throw error;
        last = error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE * (round + 1)));
    if (stop.aborted) break;
  }
  throw last;
}

/** A no that every node would say. 401 may be a proof of the wrong time, 409 an upload that another piece overtook. */
const final = (status: number): boolean => status < 500 && ![401, 408, 409, 429].includes(status);

async function sendTo(node: string, path: string, file: File, progress: (part: number) => void, stop: AbortSignal): Promise<void> {
  const standing = (answer: Response): Promise<Upload> => answer.json() as Promise<Upload>;
  let at = await one(node, 'GET', path, standing, stop);
  while (!at.complete) {
    progress(at.received / file.size);
    const body = file.slice(at.received, at.received + PIECE);
    at = await one(node, 'PUT', `${path}/bytes?offset=${at.received}`, standing, stop, { body });
  }
  progress(1);
}

/** The bytes of a file, from the first node that has them. */
export async function fetched(path: string, stop: AbortSignal): Promise<Blob> {
  let last: unknown = new Unreachable();
  for (const node of order()) {
    try {
      return await one(node, 'GET', `${path}/bytes`, (answer) => answer.blob(), stop, { patience: WHOLE });
    } catch (error) {
      if (stop.aborted || (error instanceof Refused && final(error.problem.status))) throw error;
      last = error;
    }
  }
  throw last;
}

const order = (): string[] => {
  const first = nodes.current ?? location.origin;
  return [first, ...nodes.known.filter((origin) => origin !== first)];
};

/** One request to one node, and what is taken out of its answer. */
async function one<T>(node: string, method: string, path: string, take: (answer: Response) => Promise<T>, stop: AbortSignal, options: { body?: Blob; patience?: number } = {}): Promise<T> {
  const url = node + path;
  const [abort, { body }] = [new AbortController(), options];
  const end = (): void => abort.abort();
  const timer = setTimeout(end, options.patience ?? PATIENCE);
  stop.addEventListener('abort', end, { once: true });
  try {
    const headers = await nodes.headers(method, url);
    const sent: RequestInit = { method, headers, signal: abort.signal, credentials: 'omit', cache: 'no-store', redirect: 'error' };
    if (body) {
      sent.headers = { ...headers, 'content-type': 'application/octet-stream' };
      sent.body = body;
    }
    const response = await fetch(url, sent);
    nodes.answered(node, response.headers);
    if (response.ok) return await take(response);
    let problem: Problem;
    try {
      problem = (await response.json()) as Problem;
    } catch {
      // Something that is no node answered.
      throw new Unreachable();
    }
    throw new Refused(problem);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener('abort', end);
  }
}
