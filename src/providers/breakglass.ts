// Break-glass: one-time links that let an agent in when the identity providers are down. The store knows a link by its
// hash alone, sealed, so that anyone who reads or writes the store can neither use nor make one. Consuming it is the job of sign-in.

import { createHash } from 'node:crypto'
import * as z from 'zod'
import type { Clock, Random } from '../core/clock.js'
import type { Store } from '../core/store.js'
import type { Keyring } from '../keys/keyring.js'

/** What an operator asks for. */
export interface BreakglassRequest {
  /** A canonical e-mail address. */
  agent: string
  /** How long the session may last, from its first moment. */
  minutes: number
  /** Why: for the audit log. */
  reason: string
  /** Who asked, as far as the command could tell: for the audit log, never a ground for a decision. */
  operator: string
}

export interface BreakglassLink extends BreakglassRequest {
  /** Names the link in logs; of no use to anybody else. */
  id: string
  createdAt: number
  /** When the link itself expires, in milliseconds since the epoch. */
  until: number
}

export interface Breakglass {
  /** A new link. Only the caller gets the token. Throws StoreUnavailable. */
  issue(order: BreakglassRequest): Promise<{ token: string; link: BreakglassLink }>
  /** The link of a token; undefined when there is none, or none any more. Throws StoreUnavailable. */
  find(token: string): Promise<BreakglassLink | undefined>
  /** Takes a link that was used off the list, in the background. Never throws. */
  used(token: string): void
  /** The links that can still be used, the oldest first. Throws StoreUnavailable. */
  list(): Promise<BreakglassLink[]>
  /** Makes a link worthless; the link if there was one. `id`: as in the list. Throws StoreUnavailable. */
  revoke(id: string): Promise<BreakglassLink | undefined>
}

interface BreakglassDeps {
  store: Pick<Store, 'get' | 'set' | 'delete' | 'indexAdd' | 'indexRemove' | 'indexPage'>
  /** The keys that all replicas share. */
  keyring: Pick<Keyring, 'seal' | 'open'>
  clock: Clock
  random: Random
}

export const breakglassId = 'breakglass'
/** How long a link may wait for its use, in milliseconds: long enough to be read out over the phone. */
export const linkLifetime = 900_000
/** The store keeps it this much longer: clocks differ. */
const margin = 60_000
/** 256 bits, base64url. */
const tokenShape = /^[A-Za-z0-9_-]{43}$/

const contentSchema = z.strictObject({
  agent: z.string(),
  minutes: z.int().min(1),
  reason: z.string(),
  operator: z.string(),
  createdAt: z.int(),
  until: z.int(),
})

export function isBreakglassToken(text: string): boolean {
  return tokenShape.test(text)
}

/** The hashes of the tokens of all links. */
const allLinks = 'b:all'

export function createBreakglass({ store, keyring, clock, random }: BreakglassDeps): Breakglass {
  const read = async (hash: string): Promise<BreakglassLink | undefined> => {
    const key = keyOf(hash)
    const sealed = await store.get(key)
    const plain = sealed && keyring.open(breakglassId, sealed.toString('latin1'), key)
    const link = plain && contentSchema.safeParse(JSON.parse(plain.toString('utf8')))
    return link?.success ? { ...link.data, id: idOf(hash) } : undefined
  }
  const hashes = async () => (await store.indexPage(allLinks, undefined, 1000)).members.filter(isBreakglassToken)

  return {
    async issue({ agent, minutes, reason, operator }) {
      const token = random(32).toString('base64url')
      const createdAt = clock.now()
      const content = { agent, minutes, reason, operator, createdAt, until: createdAt + linkLifetime }
      const hash = hashOfToken(token)
      const sealed = keyring.seal(breakglassId, Buffer.from(JSON.stringify(content)), keyOf(hash))
      await store.set(keyOf(hash), Buffer.from(sealed), linkLifetime + margin)
      await store.indexAdd(allLinks, hash, linkLifetime)
      return { token, link: { ...content, id: idOf(hash) } }
    },
    find: async token => (isBreakglassToken(token) ? read(hashOfToken(token)) : undefined),
    used(token) {
      store.indexRemove(allLinks, [hashOfToken(token)]).catch(() => {})
    },
    async list() {
      const links = await Promise.all((await hashes()).map(read))
      return links.filter(link => link !== undefined && clock.now() < link.until) as BreakglassLink[]
    },
    async revoke(id) {
      const hash = (await hashes()).find(one => idOf(one) === id)
      if (hash === undefined) return undefined
      const link = await read(hash)
      const deleted = await store.delete([keyOf(hash)])
      await store.indexRemove(allLinks, [hash])
      return deleted > 0 ? link : undefined
    },
  }
}

/** base64url(SHA-256(token)): what must not be used twice. */
export function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

function keyOf(hash: string): string {
  return `b:${hash}`
}

function idOf(hash: string): string {
  return hash.slice(0, 12)
}
