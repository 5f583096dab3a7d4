// Secrets: long enough, each for one purpose, and present where needed. Never shows one.

import type { Secret } from '../../core/secret.js'
import { dotted, type Path } from '../problems.js'
import type { Rules } from './rule.js'

/** RFC 7518 3.2: an HMAC-SHA256 key has at least the size of the hash. */
const least = 32

interface Placed {
  path: Path
  secret: Secret
  /** Secrets of one group may repeat: that is useless, but harmless. */
  group: string
}

export function secretRules(rules: Rules): void {
  const placed = placedSecrets(rules)
  for (const { path, secret } of placed) {
    tooShort(rules, path, secret)
    oddEdges(rules, path, secret)
  }
  repeated(rules, placed)
  ringNeeded(rules)
}

function placedSecrets({ config }: Rules): Placed[] {
  const placed: Placed[] = []
  const add = (path: Path, secret: Secret | undefined, group: string) => {
    if (secret !== undefined) placed.push({ path, secret, group })
  }
  for (const [index, secret] of (config.secrets ?? []).entries()) add(['secrets', index], secret, 'secrets')
  for (const [index, provider] of (config.providers ?? []).entries()) {
    if (provider?.type !== 'jwt') continue
    const group = `providers[${index}]`
    for (const [at, secret] of (provider.secrets ?? []).entries()) {
      add(['providers', index, 'secrets', at], secret, group)
    }
  }
  add(['ops', 'adminToken'], config.ops?.adminToken, 'ops')
  return placed
}

function tooShort({ written, problem, warning }: Rules, path: Path, secret: Secret): void {
  const bytes = Buffer.byteLength(secret.reveal())
  if (bytes >= least) return
  // A token from a file or a variable may come from another system with its own rules.
  const issued = path[0] === 'ops' && typeof written(path) !== 'string'
  const say = issued ? warning : problem
  say(path, `has ${bytes} bytes: at least ${least} are needed`, 'openssl rand -base64 32')
}

function oddEdges({ warning }: Rules, path: Path, secret: Secret): void {
  const value = secret.reveal()
  if (value !== value.trim()) warning(path, 'begins or ends with white space', 'the white space is part of the secret')
  if (value.length >= least && new Set(value).size < 8) {
    warning(path, 'too little variety to be random', 'generate one with `openssl rand -base64 48`')
  }
}

// Attack: a provider that knows another's secret can log in as its agents; with the key ring's it can make sessions.
function repeated({ problem, warning }: Rules, placed: Placed[]): void {
  const first = new Map<string, Placed>()
  for (const { path, secret, group } of placed) {
    const before = first.get(secret.reveal())
    if (!before) first.set(secret.reveal(), { path, secret, group })
    else if (before.group === group) warning(path, `same secret as ${dotted(before.path)}`)
    else problem(path, `same secret as ${dotted(before.path)}`, 'use a separate one for each purpose')
  }
}

function ringNeeded({ config, written, problem }: Rules): void {
  const store = config.sessions?.store?.url?.reveal()
  if (store === undefined || store === 'memory') return
  const ring = written(['secrets'])
  if (ring !== undefined && !(Array.isArray(ring) && ring.length === 0)) return
  const hint = 'secrets: [{ env: DESKGATE_SECRET }]'
  problem(['secrets'], 'required unless the store is memory: all processes need the same keys', hint)
}
