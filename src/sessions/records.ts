// A session's record as bytes: version, MAC over its key, version, content and publicUrl, then JSON. Anyone who can write
// to the store can still not make, move or change a session, nor bring one over from another gateway with the same
// secrets: anything that is not exactly ours is "no session", never an exception.

import * as z from 'zod'
import type { Clock } from '../core/clock.js'
import type { Agent } from '../core/directory.js'
import type { SamlSubject } from '../core/identity.js'
import type { ClientInfo, Handle, Session } from '../core/sessions.js'
import type { Keyring } from '../keys/keyring.js'

/** The stored part of a session. The time of the last activity has a key of its own. */
export type SessionRecord = Omit<Session, 'seenAt'>

/** Why bytes are not one of our records; for the audit log. */
export type Tampering = 'size' | 'version' | 'mac' | 'content'

export interface Records {
  keyOf(handle: Handle): string
  pack(session: SessionRecord): Buffer
  /** Never throws. */
  unpack(handle: Handle, bytes: Buffer): { record: SessionRecord } | { tampering: Tampering }
}

const version = 2
/** Not bound to publicUrl. Such records are read for at most sessions.lifetime from their login, and no longer written. */
const unboundVersion = 1
/** Milliseconds that the clock of the replica that wrote such a record may be ahead of ours. */
const clockMargin = 60_000
const macBytes = 32
const headBytes = 1 + macBytes
/** No record of ours is longer: the identity headers take at most 8 kB. */
const maxBytes = 65_536
/** Characters of the claims of the identity provider. */
const maxClaims = 16_384
const purpose = 'session record'

const time = z.int().min(0)
const text = z.string()
const content = z.strictObject({
  agent: z.strictObject({
    email: text.min(1),
    id: text.optional(),
    name: text.optional(),
    roles: z.array(text),
    attributes: z.record(text, z.array(text)).optional(),
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
  authentication: z.strictObject({ context: text.optional(), at: time.optional() }).optional(),
  origin: text.optional(),
  earlier: z.array(z.strictObject({ nameId: text, sessionIndex: text.optional() })).optional(),
  /** `idpClaims`: the stored name stays, so that sessions outlive an upgrade. */
  said: z.strictObject({ id: text.optional(), name: text.optional(), roles: z.array(text).optional() }).optional(),
  externalId: text.optional(),
  from: z.strictObject({ address: text, browser: text }),
})

/** `publicUrl` is asked at each record: a reload may change it. `lifetime`: milliseconds. */
export function createRecords(deps: {
  keyring: Keyring
  publicUrl(): string
  clock: Clock
  lifetime: number
}): Records {
  const { keyring, publicUrl, clock, lifetime } = deps

  return {
    keyOf,
    pack({ handle, idpClaims, ...rest }) {
      const json = Buffer.from(JSON.stringify({ ...rest, said: idpClaims }))
      const mac = keyring.mac(purpose, bound(handle, json, publicUrl()))
      const bytes = Buffer.concat([Buffer.of(version), mac, json])
      if (bytes.length > maxBytes) throw new Error('a session record may have at most 64 kB')
      return bytes
    },
    unpack(handle, bytes) {
      if (bytes.length <= headBytes || bytes.length > maxBytes) return { tampering: 'size' }
      if (bytes[0] !== version && bytes[0] !== unboundVersion) return { tampering: 'version' }
      const json = bytes.subarray(headBytes)
      const mac = bytes.subarray(1, headBytes)
      const data = bytes[0] === version ? bound(handle, json, publicUrl()) : unbound(handle, json)
      if (!keyring.verifies(purpose, data, mac)) return { tampering: 'mac' }
      const found = read(json)
      const record = found && bytes[0] === unboundVersion ? withinLifetime(found, clock.now(), lifetime) : found
      // Built as at its login, so that V8 gives both objects one shape on the hot path.
      return record ? { record: recordOf({ handle, ...record }, record.saml) } : { tampering: 'content' }
    },
  }
}

/**
 * An unbound record with the end that a login of now could have at most; undefined when it begins in the future. Attack:
 * one with a later end, from a gateway with the same secrets and a longer lifetime, would put off the day of the last.
 */
function withinLifetime(record: Omit<SessionRecord, 'handle'>, now: number, lifetime: number) {
  const { createdAt, endsAt } = record
  if (!(createdAt <= now + clockMargin)) return undefined
  return { ...record, endsAt: Math.min(endsAt, createdAt + lifetime) }
}

/** Exactly the fields of a record, whatever else the caller's objects hold. */
export function recordOf(base: Omit<SessionRecord, 'saml'>, saml: SessionRecord['saml']): SessionRecord {
  const { handle, agent, provider, createdAt, endsAt, externalId, from, idpClaims } = base
  const { authentication, origin, earlier } = base
  return {
    handle,
    agent: agentOf(agent),
    provider,
    createdAt,
    endsAt,
    from: shortened(from),
    ...(saml === undefined ? {} : { saml: subjectOf(saml) }),
    ...(idpClaims === undefined ? {} : keptClaims(idpClaims)),
    ...(externalId === undefined ? {} : { externalId }),
    ...(authentication === undefined ? {} : { authentication }),
    ...(origin === undefined ? {} : { origin }),
    ...(earlier === undefined ? {} : { earlier }),
  }
}

/**
 * A record in use. What `{ ...record, seenAt }` gives has a hidden class of its own at each call
 * (seen on Node 20 and 26): 264 bytes more for each session, and no compiled code knows the next one.
 */
export function sessionOf(record: SessionRecord, seenAt: number, agent = record.agent): Session {
  const { handle, provider, createdAt, endsAt, from, saml, idpClaims, externalId } = record
  const { authentication, origin, earlier } = record
  const session: Session = { handle, agent, provider, createdAt, endsAt, seenAt, from }
  if (saml !== undefined) session.saml = saml
  if (idpClaims !== undefined) session.idpClaims = idpClaims
  if (externalId !== undefined) session.externalId = externalId
  if (authentication !== undefined) session.authentication = authentication
  if (origin !== undefined) session.origin = origin
  if (earlier !== undefined) session.earlier = earlier
  return session
}

function agentOf({ email, id, name, roles, attributes }: Agent): Agent {
  return {
    email,
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name }),
    roles: [...roles],
    // The headers of the identity have bounded it: 8 kB.
    ...(attributes === undefined ? {} : { attributes }),
  }
}

/** An identity provider may name thousands of groups: claims too long for the headers are not kept, and give no role. */
function keptClaims({ id, name, roles }: NonNullable<SessionRecord['idpClaims']>): Pick<SessionRecord, 'idpClaims'> {
  const stated = id === undefined ? {} : { id }
  const all = {
    ...stated,
    ...(name === undefined ? {} : { name }),
    ...(roles === undefined ? {} : { roles: [...roles] }),
  }
  const idpClaims = JSON.stringify(all).length <= maxClaims ? all : stated
  return Object.keys(idpClaims).length > 0 ? { idpClaims } : {}
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

/** Attack: the client chooses these texts and their length. */
function shortened({ address, browser }: ClientInfo): ClientInfo {
  return { address: address.slice(0, 100), browser: browser.slice(0, 300) }
}

function keyOf(handle: Handle): string {
  return `s:${handle}`
}

/**
 * What the MAC covers. Attack: without the key and publicUrl, a record copied to another session's key, or from the store
 * of another gateway, would open something. Both end with a NUL, which neither holds, and the version comes between them,
 * so that no two of these are the same bytes.
 */
function bound(handle: Handle, json: Buffer, publicUrl: string): Buffer {
  return Buffer.concat([Buffer.from(`${keyOf(handle)}\0`), Buffer.of(version), Buffer.from(`${publicUrl}\0`), json])
}

function unbound(handle: Handle, json: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${keyOf(handle)}\0`), Buffer.of(unboundVersion), json])
}

function read(json: Buffer): Omit<SessionRecord, 'handle'> | undefined {
  try {
    const parsed = content.safeParse(JSON.parse(json.toString('utf8')))
    return parsed.success ? recordFrom(parsed.data) : undefined
  } catch {
    return undefined
  }
}

/** The cast is safe: JSON has no undefined, so optional means absent, as exactOptionalPropertyTypes asks. */
function recordFrom({ said, ...rest }: z.output<typeof content>): Omit<SessionRecord, 'handle'> {
  return (said === undefined ? rest : { ...rest, idpClaims: said }) as Omit<SessionRecord, 'handle'>
}
