// What Desk is told of an agent: exactly one of each identity header and a signed assertion. And the one judge of which
// header names only the gateway may send, so that nobody else can tell Desk who somebody is.

import type { IdentitySettings } from '../../config/schema/identity.js'
import type { Agent, Clock } from '../../core/contracts.js'
import type { SigningKeys } from '../../keys/assertion-keys.js'
import type { IdentityWriter } from '../context.js'
import { fold } from '../request/header-names.js'
import { createAssertion } from './assertion.js'

export interface IdentityDeps {
  settings: IdentitySettings
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

export function createIdentityWriter(deps: IdentityDeps): IdentityWriter {
  const { headers: names, assertion } = deps.settings
  const mine = new Set([...defaults, ...Object.values(names), assertion.header].map(fold))
  const signed = createAssertion({
    issuer: deps.publicUrl,
    audience: assertion.audience ?? deps.deskOrigin,
    ttl: assertion.ttl,
    keys: deps.keys,
    clock: deps.clock,
  })
  const plain = (agent: Agent, provider: string) => [
    names.id,
    encodeValue(agent.id ?? ''),
    names.email,
    encodeValue(agent.email),
    names.name,
    encodeValue(agent.name ?? ''),
    names.roles,
    agent.roles.map(encodeRole).join(','),
    names.provider,
    encodeValue(provider),
  ]
  return {
    reserved(name) {
      const folded = fold(name)
      return folded.startsWith('x-agent-') || mine.has(folded)
    },
    append(flat, who) {
      flat.push(...plain(who.agent, who.provider), assertion.header, signed(who))
    },
    weight(agent, provider) {
      // Four more for ': ' and the line break: what it takes in the head of a request.
      const flat = plain(agent, provider)
      return flat.reduce((sum, text) => sum + text.length + 2, 0)
    },
    jwks: () => ({ keys: deps.keys.publish }),
  }
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

/** A role, in a list whose separator is the comma. */
function encodeRole(role: string): string {
  return encodeValue(role).replaceAll(',', '%2C')
}

function escapeByte(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}
