// A session's record as bytes: version, MAC over its key, version and content, then JSON. Whoever can write into the store
// can still not make, move or change a session: what is not exactly ours is "no session", never an exception.

import * as z from 'zod'
import type { Handle, Origin, SamlSubject, Session } from '../core/contracts.js'
import type { Keyring } from '../keys/keyring.js'

/** What the record holds; the last activity lies apart, under a key of its own. */
export type Recorded = Omit<Session, 'seenAt'>

/** What is wrong with bytes that are no record of ours; for the audit log. */
export type Tampering = 'size' | 'version' | 'mac' | 'content'

export interface Records {
  /** The record's key in the store. */
  keyOf(handle: Handle): string
  pack(session: Recorded): Buffer
  /** Never throws. */
  unpack(handle: Handle, bytes: Buffer): { record: Recorded } | { tampering: Tampering }
}

const version = 1
const macBytes = 32
const headBytes = 1 + macBytes
/** The identity headers take at most 8 kB: nothing of ours is longer. */
const mostBytes = 65_536
/** Characters of what the identity provider said. */
const mostSaid = 16_384
const purpose = 'session record'

const time = z.int().min(0)
const text = z.string()
const content = z.strictObject({
  agent: z.strictObject({
    email: text.min(1),
    id: text.optional(),
    name: text.optional(),
    roles: z.array(text),
  }),
  provider: text.min(1),
  createdAt: time,
  endsAt: time,
  saml: z
    .strictObject({
      nameId: text,
      nameIdFormat: text.optional(),
      nameQualifier: text.optional(),
      spNameQualifier: text.optional(),
      sessionIndex: text.optional(),
      notOnOrAfter: z.number().optional(),
    })
    .optional(),
  said: z.strictObject({ name: text.optional(), roles: z.array(text).optional() }).optional(),
  externalId: text.optional(),
  from: z.strictObject({ address: text, browser: text }),
})

export function createRecords(deps: { keyring: Keyring }): Records {
  const { keyring } = deps

  return {
    keyOf,
    pack({ handle, ...rest }) {
      const json = Buffer.from(JSON.stringify(rest))
      const mac = keyring.mac(purpose, bound(handle, version, json))
      const bytes = Buffer.concat([Buffer.of(version), mac, json])
      if (bytes.length > mostBytes) throw new Error('a session record may have at most 64 kB')
      return bytes
    },
    unpack(handle, bytes) {
      if (bytes.length <= headBytes || bytes.length > mostBytes) return { tampering: 'size' }
      if (bytes[0] !== version) return { tampering: 'version' }
      const json = bytes.subarray(headBytes)
      const mac = bytes.subarray(1, headBytes)
      // Attack: the key is part of it, so that a record copied to another session's key opens nothing.
      if (!keyring.verifies(purpose, bound(handle, version, json), mac)) return { tampering: 'mac' }
      const record = read(json)
      // Put together as at its login: V8 then knows both by one shape, on the way of every request.
      return record ? { record: recordOf({ handle, ...record }, record.saml) } : { tampering: 'content' }
    },
  }
}

/** Exactly the fields of a record, whatever else the caller's objects hold. */
export function recordOf(base: Omit<Recorded, 'saml'>, saml: Recorded['saml']): Recorded {
  const { handle, agent, provider, createdAt, endsAt, externalId, from, said } = base
  const { email, id, name, roles } = agent
  return {
    handle,
    agent: { email, ...(id === undefined ? {} : { id }), ...(name === undefined ? {} : { name }), roles: [...roles] },
    provider,
    createdAt,
    endsAt,
    from: shortened(from),
    ...(saml === undefined ? {} : { saml: subjectOf(saml) }),
    ...(said === undefined ? {} : saidOf(said)),
    ...(externalId === undefined ? {} : { externalId }),
  }
}

/** An identity provider may name thousands of groups: what could never become headers is not kept, and then gives no role. */
function saidOf({ name, roles }: NonNullable<Recorded['said']>): Pick<Recorded, 'said'> {
  const said = { ...(name === undefined ? {} : { name }), ...(roles === undefined ? {} : { roles: [...roles] }) }
  const small = JSON.stringify(said).length <= mostSaid
  return small && Object.keys(said).length > 0 ? { said } : {}
}

function subjectOf(saml: SamlSubject): SamlSubject {
  const { nameId, nameIdFormat, nameQualifier, spNameQualifier, sessionIndex, notOnOrAfter } = saml
  return {
    nameId,
    ...(nameIdFormat === undefined ? {} : { nameIdFormat }),
    ...(nameQualifier === undefined ? {} : { nameQualifier }),
    ...(spNameQualifier === undefined ? {} : { spNameQualifier }),
    ...(sessionIndex === undefined ? {} : { sessionIndex }),
    ...(notOnOrAfter === undefined ? {} : { notOnOrAfter }),
  }
}

/** A browser says what it likes, and at what length. */
function shortened({ address, browser }: Origin): Origin {
  return { address: address.slice(0, 100), browser: browser.slice(0, 300) }
}

function keyOf(handle: Handle): string {
  return `s:${handle}`
}

/** What the MAC covers. The key ends with a NUL, which no key holds, so that no two of these are the same bytes. */
function bound(handle: Handle, version: number, json: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${keyOf(handle)}\0`), Buffer.of(version), json])
}

function read(json: Buffer): Omit<Recorded, 'handle'> | undefined {
  try {
    const parsed = content.safeParse(JSON.parse(json.toString('utf8')))
    return parsed.success ? tidy(parsed.data) : undefined
  } catch {
    return undefined
  }
}

/** Optional means absent here, not undefined: exactOptionalPropertyTypes. JSON has no undefined, so nothing is lost. */
function tidy(data: z.output<typeof content>): Omit<Recorded, 'handle'> {
  return data as Omit<Recorded, 'handle'>
}
