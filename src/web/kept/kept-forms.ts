// Kept forms in the store: encrypted pieces, a head that is written last and makes the form exist, and a place in the index
// that all replicas count, so that all forms together stay within login.keepPost.total. What a crash leaves behind expires.

import { hash } from 'node:crypto'
import type { Clock, Random } from '../../core/clock.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Store } from '../../core/store.js'
import type { Keyring } from '../../keys/keyring.js'
import { createFormCipher, type FormCipher, isFormKey } from './cipher.js'

/** What is known of a form besides its bytes. Encrypted as they are. */
export interface KeptHead {
  /** The canonical address of the agent whose session had ended. */
  agent: string
  /** The target of the request line as sent. */
  target: string
  /** latin1, as sent. */
  contentType: string
  referer?: string
  bytes: number
  /** Milliseconds since the epoch. */
  at: number
  until: number
}

export interface KeptForm {
  id: string
  head: KeptHead
  /** Whether every byte is there and opens. */
  isWhole(): Promise<boolean>
  /** The bytes, one piece at a time; throws where one is missing or does not open. */
  read(): AsyncGenerator<Buffer>
  /** True for one caller on all replicas: only that one may send it. */
  claim(): Promise<boolean>
  /** Nothing of it was sent: it can be claimed again. */
  unclaim(): Promise<void>
  isClaimed(): Promise<boolean>
  remove(): Promise<void>
}

export interface FormWriter {
  /** What the browser holds from now on, and nobody else. */
  key: string
  /** Bytes are written as soon as there is a whole piece of them. */
  write(bytes: Buffer): Promise<void>
  finish(about: Omit<KeptHead, 'bytes' | 'at' | 'until'>): Promise<void>
  /** Leaves nothing behind. Never rejects. */
  drop(): Promise<void>
}

export interface KeptForms {
  /** Undefined when there is no room. `agent`: whose form it is; `bytes`: at most. */
  begin(
    agent: string,
    bytes: number,
    limits: { for: number; total: number; size: number },
  ): Promise<FormWriter | undefined>
  /** Undefined when there is none for this key, or its time is over. */
  find(key: string | undefined): Promise<KeptForm | undefined>
  /** Whether there was one. */
  discard(key: string | undefined): Promise<boolean>
}

export interface KeptFormsDeps {
  store: Pick<Store, 'get' | 'set' | 'delete' | 'claim' | 'indexAdd' | 'indexRemove' | 'indexPage' | 'hasRoom'>
  keyring: Pick<Keyring, 'derive'>
  /** Asked at each call: a reload may change it. */
  publicUrl(): string
  clock: Clock
  random: Random
}

/** Bytes of a piece. Small forms count as one: so many can never be more than the total allows. */
export const pieceBytes = 64 * 1024
/** The pieces are written up to so many milliseconds before the head. */
const margin = 120_000
const index = 'k:all'
const pageSize = 1000

const headKey = (id: string) => `k:{${id}}`
const pieceKey = (id: string, at: number) => `k:{${id}}:${at}`
const claimKey = (id: string) => `c:kept:${id}`
const piecesOf = (bytes: number) => Math.max(1, Math.ceil(bytes / pieceBytes))

export function createKeptForms(deps: KeptFormsDeps): KeptForms {
  const { store, keyring, publicUrl, clock, random } = deps
  const cipherFor = (key: string) => createFormCipher(key, { keyring, publicUrl: publicUrl() })
  const find: KeptForms['find'] = async key => {
    if (key === undefined || !isFormKey(key)) return undefined
    const cipher = cipherFor(key)
    const sealed = await store.get(headKey(cipher.id))
    const plain = sealed && cipher.open('head', 0, sealed)
    if (!plain) return undefined
    const { place, ...head } = JSON.parse(plain.toString()) as KeptHead & { place: string }
    return clock.now() < head.until ? openForm(store, cipher, { head, place }) : undefined
  }

  return {
    async begin(agent, bytes, limits) {
      const key = random(32).toString('base64url')
      const cipher = cipherFor(key)
      const place = `${cipher.id}.${piecesOf(bytes)}.${hash('sha256', agent, 'base64url')}`
      const ttl = limits.for + margin
      if (!(await store.hasRoom(headKey(cipher.id)))) return undefined
      if (!(await takePlace(store, place, ttl, limits))) return undefined
      return createWriter({ store, clock }, { key, cipher, place, ttl, limits })
    },
    find,
    async discard(key) {
      const form = await find(key)
      await form?.remove()
      return form !== undefined
    },
  }
}

/**
 * Counts after it has written its own place, so that two replicas cannot both take the last one. Attack: anyone whose sessions
 * have ended could take it all from everybody else: one agent gets a quarter.
 */
async function takePlace(
  store: KeptFormsDeps['store'],
  place: string,
  ttl: number,
  { total, size }: { total: number; size: number },
): Promise<boolean> {
  const [, , agent] = place.split('.')
  const [most, mostOfOne] = [total, Math.max(size, total / 4)].map(bytes => Math.floor(bytes / pieceBytes)) as [
    number,
    number,
  ]
  await store.indexAdd(index, place, ttl)
  let [all, own] = [0, 0]
  let cursor: string | undefined
  do {
    const page = await store.indexPage(index, cursor, pageSize)
    for (const member of page.members) {
      const [, pieces, whose] = member.split('.')
      const taken = Number(pieces) || 1
      all += taken
      if (whose === agent) own += taken
    }
    cursor = page.cursor
  } while (cursor !== undefined && all <= most)
  if (all <= most && own <= mostOfOne) return true
  await store.indexRemove(index, [place])
  return false
}

interface NewForm {
  key: string
  cipher: FormCipher
  place: string
  ttl: number
  limits: { for: number }
}

function createWriter({ store, clock }: Pick<KeptFormsDeps, 'store' | 'clock'>, form: NewForm): FormWriter {
  const { key, cipher, place, ttl, limits } = form
  const piece = Buffer.allocUnsafeSlow(pieceBytes)
  let [used, written, bytes] = [0, 0, 0]
  const writePiece = async (kind: 'part' | 'last part') => {
    const at = written++
    await store.set(pieceKey(cipher.id, at), cipher.seal(kind, at, piece.subarray(0, used)), ttl)
    used = 0
  }

  return {
    key,
    async write(chunk) {
      for (let from = 0; from < chunk.length; ) {
        // A full piece waits for the byte after it: the last one is marked.
        if (used === pieceBytes) await writePiece('part')
        const copied = chunk.copy(piece, used, from)
        used += copied
        from += copied
        bytes += copied
      }
    },
    async finish(about) {
      await writePiece('last part')
      const at = clock.now()
      const head = { ...about, bytes, at, until: at + limits.for, place }
      await store.set(headKey(cipher.id), cipher.seal('head', 0, Buffer.from(JSON.stringify(head))), limits.for)
    },
    drop: () => erase(store, cipher.id, { pieces: written, place }).catch(() => {}),
  }
}

function openForm(
  store: KeptFormsDeps['store'],
  cipher: FormCipher,
  { head, place }: { head: KeptHead; place: string },
): KeptForm {
  const { id } = cipher
  const pieces = piecesOf(head.bytes)
  async function* read() {
    for (let at = 0; at < pieces; at++) {
      const sealed = await store.get(pieceKey(id, at))
      const plain = sealed && cipher.open(at === pieces - 1 ? 'last part' : 'part', at, sealed)
      if (!plain) throw new Error('a piece of a kept form is missing')
      yield plain
    }
  }
  return {
    id,
    head,
    read,
    async isWhole() {
      let bytes = 0
      try {
        for await (const plain of read()) bytes += plain.length
      } catch (error) {
        if (error instanceof StoreUnavailable) throw error
        return false
      }
      return bytes === head.bytes
    },
    claim: () => store.claim(claimKey(id), Math.max(1, Math.ceil(head.until - head.at)) + margin),
    unclaim: async () => void (await store.delete([claimKey(id)])),
    isClaimed: async () => (await store.get(claimKey(id))) !== undefined,
    remove: () => erase(store, id, { pieces, place }),
  }
}

/** The head first: without it the form does not exist. */
async function erase(
  store: KeptFormsDeps['store'],
  id: string,
  { pieces, place }: { pieces: number; place: string },
): Promise<void> {
  await store.delete([headKey(id), ...Array.from({ length: pieces }, (_, at) => pieceKey(id, at))])
  await store.indexRemove(index, [place])
}
