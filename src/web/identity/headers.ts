// The identity headers that Desk gets: exactly one of each, and a signed assertion. Also decides which header names
// only the gateway may send, so that no client can set an identity.

import type { IdentitySettings } from '../../config/schema/identity.js'
import type { Agent, Clock } from '../../core/contracts.js'
import type { SigningKeys } from '../../keys/assertion-keys.js'
import type { IdentityWriter } from '../context.js'
import { foldHeaderName } from '../request/header-names.js'
import { createAssertionSigner } from './assertion.js'

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
  const reserved = new Set([...defaults, ...Object.values(names), assertion.header].map(foldHeaderName))
  const assertionFor = createAssertionSigner({
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
    isReserved(name) {
      const folded = foldHeaderName(name)
      return folded.startsWith('x-agent-') || reserved.has(folded)
    },
    append(flat, who) {
      flat.push(...plain(who.agent, who.provider), assertion.header, assertionFor(who))
    },
    headerBytes(agent, provider) {
      // Two more for ': ' or the line break.
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
