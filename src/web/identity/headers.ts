// The identity headers that Desk gets: exactly one of each, and a signed assertion. Also decides which header names
// only the gateway may send, so that no client can set an identity.

import type { IdentitySettings } from '../../config/schema/identity.js'
import type { Clock } from '../../core/clock.js'
import type { Agent } from '../../core/directory.js'
import type { SigningKeys } from '../../keys/assertion-keys.js'
import { rehearsalAgent } from '../../providers/rehearsal.js'
import type { IdentityWriter } from '../context.js'
import { foldHeaderName } from '../request/header-names.js'
import { createAssertionSigner } from './assertion.js'

export interface IdentityDeps {
  settings: IdentitySettings
  /** The headers of providers[].attributes, of all providers. */
  attributeHeaders: readonly string[]
  publicUrl: string
  /** The origin of desk.url: the audience where none is configured. */
  deskOrigin: string
  keys: SigningKeys
  clock: Clock
}

const defaults = [
  'X-Agent-Id',
  'X-Agent-Email',
  'X-Agent-Name',
  'X-Agent-Roles',
  'X-Agent-Provider',
  'X-Agent-Assertion',
]

/**
 * Names that Desks read together: where one of them is the gateway's, a client may send none. Of folded names.
 * Attack: Desk takes X-authentik-username from the gateway, and X-authentik-groups from anyone.
 */
const families = [
  /^remote-(?:user|email|name|groups?)$/,
  /^x-remote-(?:user|email|name|groups?)$/,
  /^x-auth-request-/,
  /^x-webauth-/,
  /^x-authentik-/,
  /^x-pomerium-/,
  /^x-vouch-/,
  /^oidc-/,
  /^cf-access-/,
  /^tailscale-user-/,
  /^x-goog-(?:authenticated-user|iap)-/,
  /^x-amzn-oidc-/,
  /^x-ms-(?:client-principal|token)/,
]

export function createIdentityWriter(deps: IdentityDeps): IdentityWriter {
  const { assertion } = deps.settings
  const own = [...Object.values(deps.settings.headers), ...deps.attributeHeaders, assertion.header].map(foldHeaderName)
  const related = families.filter(family => own.some(name => family.test(name)))
  const reserved = new Set([...defaults.map(foldHeaderName), ...own])
  const assertionFor = createAssertionSigner({
    issuer: deps.publicUrl,
    audience: assertion.audience ?? deps.deskOrigin,
    ttl: assertion.ttl,
    keys: deps.keys,
    clock: deps.clock,
  })
  const write = createPlainHeaders(deps.settings, unique(deps.attributeHeaders))
  const plainHeaders = (agent: Agent, provider: string) => {
    const flat: string[] = []
    write(flat, agent, provider)
    return flat
  }
  return {
    isReserved(name) {
      const folded = foldHeaderName(name)
      return folded.startsWith('x-agent-') || reserved.has(folded) || related.some(family => family.test(folded))
    },
    append(flat, who) {
      const signed = assertionFor(who)
      // 200 roles take 20 µs to write.
      signed.plain ??= plainHeaders(who.agent, who.provider)
      for (const text of signed.plain) flat.push(text)
      flat.push(assertion.header, signed.token)
    },
    headerBytes(agent, provider) {
      // Two more for ': ' or the line break.
      return plainHeaders(agent, provider).reduce((sum, text) => sum + text.length + 2, 0)
    },
    jwks: () => ({ keys: deps.keys.publish }),
  }
}

/** All headers of the identity but the assertion, by the formats that are set. */
function createPlainHeaders(
  { headers: names, format }: IdentitySettings,
  attributes: readonly string[],
): (flat: string[], agent: Agent, provider: string) => void {
  const encode = format.encoding === 'utf8' ? rawUtf8 : encodeValue
  // Also with utf8: a comma would make two roles of one.
  const encodeItem = (item: string) => encode(item).replaceAll(',', '%2C')
  // A to Z alone, as an address is read: É and é are two agents here, and Desk must not make one of them.
  const inCase = (value: string) =>
    format.case === 'lower' ? value.replace(/[A-Z]+/g, letters => letters.toLowerCase()) : value
  const emailOf = (email: string) =>
    // Attack: without its domain a rehearsal's agent would be an account of Desk that is called doctor.
    format.email === 'local' && email !== rehearsalAgent ? email.slice(0, email.lastIndexOf('@')) : email
  const oneLine = format.roles === 'commas'
  return (flat, agent, provider) => {
    const { id, email, name, roles } = agent
    flat.push(names.id, id === undefined ? '' : encode(inCase(id)), names.email, encode(inCase(emailOf(email))))
    flat.push(names.name, encode(name ?? ''))
    if (oneLine || roles.length === 0) flat.push(names.roles, roles.map(encodeItem).join(','))
    else for (const role of roles) flat.push(names.roles, encodeItem(role))
    flat.push(names.provider, encode(provider))
    for (const header of attributes) {
      const values = agent.attributes?.[header]
      flat.push(header, values === undefined ? '' : values.map(encodeItem).join(','))
    }
  }
}

/** One of each, whatever its spelling. */
function unique(headers: readonly string[]): string[] {
  return [...new Map(headers.map(header => [foldHeaderName(header), header])).values()]
}

const plainValue = /^[\x20-\x24\x26-\x7e]*$/

/** Percent-encodes (UTF-8) every byte outside printable ASCII and every '%': one decoding always gives the value. */
function encodeValue(value: string): string {
  if (plainValue.test(value) && value.trim() === value) return value
  let encoded = ''
  for (const byte of Buffer.from(value)) {
    encoded += byte < 0x20 || byte > 0x7e || byte === 0x25 ? escapeByte(byte) : String.fromCharCode(byte)
  }
  // RFC 9110 5.5: a server drops white space around a value, so there it has to be encoded as well.
  return encoded.replace(/^ +| +$/g, spaces => '%20'.repeat(spaces.length))
}

/** UTF-8 as a string of bytes, as Node writes headers. Attack: a line break in a name would begin another header. */
function rawUtf8(value: string): string {
  const printable = value.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return plainValue.test(printable) ? printable : Buffer.from(printable).toString('latin1')
}

function escapeByte(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}
