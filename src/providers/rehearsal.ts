// Rehearsals: one throw-away JWT provider at a time, for one login of an agent that nobody is. It is never part of the
// configuration: the store has it, sealed, for a minute, so that every replica finds it. See docs/adr/0022-the-rehearsal.md.

import * as z from 'zod'
import type { JwtSettings } from '../config/schema/providers.js'
import type { Clock, Random } from '../core/clock.js'
import type { Provider } from '../core/providers.js'
import { createSecret } from '../core/secret.js'
import type { Store } from '../core/store.js'
import type { Keyring } from '../keys/keyring.js'
import type { Log } from '../ops/log.js'
import { createJwtProvider } from './jwt/provider.js'

/** Whom a rehearsal logs in: RFC 2606 2 keeps anybody from being at home there. Not in the directory, without roles. */
export const rehearsalAgent = 'doctor@invalid'
/** How long it is open, and how long its session may last at most: from its first moment. Milliseconds. */
export const rehearsalTime = 60_000
/** Where its login would send a browser; nothing answers there. */
const nowhere = 'https://doctor.invalid/'
/** In the place of the ID where there is room for a few names only, such as a label of a metric. */
export const rehearsalLabel = 'rehearsal'

/** With a dot, which no ID of a configured provider can have. */
const idShape = /^rehearsal\.([0-9a-f]{32})$/

/** Whether a provider ID, of a session too, is that of a rehearsal. */
export function isRehearsal(provider: string): boolean {
  return idShape.test(provider)
}

/** The last part of the one path of the gateway that its session reaches. */
export function nonceOf(provider: string): string | undefined {
  return idShape.exec(provider)?.[1]
}

export interface Rehearsal {
  id: string
  /** Milliseconds since the epoch. */
  until: number
}

interface OpenRehearsal extends Rehearsal {
  /** What its one token is signed with (HS256): only the caller gets it. */
  secret: string
}

export interface Rehearsals {
  /** A new one, or until when another is open (milliseconds since the epoch). Throws StoreUnavailable. */
  open(): Promise<OpenRehearsal | { busyUntil: number }>
  /** The one that is open, with its provider; undefined when it is another one, or none. Throws StoreUnavailable. */
  find(id: string): Promise<(Rehearsal & { provider: Provider }) | undefined>
  /** Whether it was open. Throws StoreUnavailable. */
  end(id: string): Promise<boolean>
}

interface RehearsalDeps {
  store: Pick<Store, 'get' | 'set' | 'delete' | 'claim'>
  /** The keys that all replicas share. */
  keyring: Pick<Keyring, 'seal' | 'open'>
  publicUrl(): string
  clock: Clock
  random: Random
  log: Log
}

const purpose = 'rehearsal'
const recordKey = 'r:rehearsal'
/** Taken by whoever opens one, so that two at once cannot. */
const placeKey = 'c:rehearsal'

const recordSchema = z.strictObject({
  id: z.string().regex(idShape),
  secret: z.string().length(43),
  until: z.int(),
})

export function createRehearsals(deps: RehearsalDeps): Rehearsals {
  const { store, keyring, publicUrl, clock, random } = deps
  // Attack: another gateway with the same store and secrets must not find it.
  const bound = () => `${recordKey} ${publicUrl()}`
  const read = async (): Promise<OpenRehearsal | undefined> => {
    const sealed = await store.get(recordKey)
    const plain = sealed && keyring.open(purpose, sealed.toString('latin1'), bound())
    const record = plain && recordSchema.safeParse(JSON.parse(plain.toString('utf8')))
    return record?.success && clock.now() < record.data.until ? record.data : undefined
  }
  const find = async (id: string) => {
    const record = isRehearsal(id) ? await read() : undefined
    return record?.id === id ? record : undefined
  }

  return {
    async open() {
      if (!(await store.claim(placeKey, rehearsalTime)))
        return { busyUntil: (await read())?.until ?? clock.now() + rehearsalTime }
      const record = {
        id: `rehearsal.${random(16).toString('hex')}`,
        secret: random(32).toString('base64url'),
        until: clock.now() + rehearsalTime,
      }
      const sealed = keyring.seal(purpose, Buffer.from(JSON.stringify(record)), bound())
      await store.set(recordKey, Buffer.from(sealed), rehearsalTime)
      return record
    },
    async find(id) {
      const record = await find(id)
      if (!record) return undefined
      return { id, until: record.until, provider: createJwtProvider(settingsOf(record, publicUrl()), partsOf(deps)) }
    },
    async end(id) {
      if (!(await find(id))) return false
      await store.delete([recordKey])
      await store.delete([placeKey])
      return true
    },
  }
}

function partsOf({ publicUrl, clock, log }: RehearsalDeps) {
  const fetchText = () => Promise.reject(new Error('a rehearsal has nothing to fetch'))
  // Its clock is that of the command which signs the token.
  return { publicUrl: publicUrl(), clock, log, fetchText, metrics: { idpClockSkew: () => {} } }
}

/** As strict as a provider can be: its one token is for this gateway, and answers a login that the same browser began. */
function settingsOf({ id, secret }: OpenRehearsal, publicUrl: string): JwtSettings {
  return {
    id,
    type: 'jwt',
    name: 'deskgate doctor',
    icon: null,
    loginUrl: nowhere,
    secrets: [createSecret(secret)],
    maxAge: rehearsalTime,
    // Of two replicas: the token is dated by the clock of the one that opened it.
    clockSkew: rehearsalTime,
    issuer: id,
    audience: publicUrl,
    requireState: true,
    authnContext: [],
    acceptedContexts: [],
    maxAuthAge: null,
    bearer: false,
    bearerPassThrough: false,
    attributes: { name: 'name', roles: 'roles' },
    roles: { map: {}, default: [], unmapped: 'keep', split: null },
    revocation: null,
    allow: { roles: [], domains: [] },
  }
}
