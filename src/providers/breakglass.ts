// Break-glass: one-time links that let an agent in when the identity providers are down. The store knows a link by its
// hash alone, sealed, so that anyone who reads or writes the store can neither use nor make one. Consuming it is the job of sign-in.

import { createHash } from 'node:crypto'
import * as z from 'zod'
import type { Clock, Random, Store } from '../core/contracts.js'

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
}

export interface BreakglassDeps {
  store: Pick<Store, 'get' | 'set'>
  /** The keys that all replicas share. */
  keyring: {
    seal(purpose: string, plain: Buffer, bound: string): string
    open(purpose: string, sealed: string, bound: string): Buffer | undefined
  }
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

export function createBreakglass({ store, keyring, clock, random }: BreakglassDeps): Breakglass {
  return {
    async issue({ agent, minutes, reason, operator }) {
      const token = random(32).toString('base64url')
      const createdAt = clock.now()
      const content = { agent, minutes, reason, operator, createdAt, until: createdAt + linkLifetime }
      const key = keyOf(token)
      const sealed = keyring.seal(breakglassId, Buffer.from(JSON.stringify(content)), key)
      await store.set(key, Buffer.from(sealed), linkLifetime + margin)
      return { token, link: { ...content, id: idOf(token) } }
    },
    async find(token) {
      if (!isBreakglassToken(token)) return undefined
      const key = keyOf(token)
      const sealed = await store.get(key)
      const plain = sealed && keyring.open(breakglassId, sealed.toString('latin1'), key)
      const link = plain && contentSchema.safeParse(JSON.parse(plain.toString('utf8')))
      return link?.success ? { ...link.data, id: idOf(token) } : undefined
    },
  }
}

/** base64url(SHA-256(token)): what must not be used twice. */
export function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

function keyOf(token: string): string {
  return `b:${hashOfToken(token)}`
}

function idOf(token: string): string {
  return hashOfToken(token).slice(0, 12)
}
