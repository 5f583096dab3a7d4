// Reports of recent refused logins, kept in the store for a week under the reference that the agent sees, so that an operator
// can ask any replica. A report has the checks, never the checked message. Of all replicas together the newest are kept.

import { hash } from 'node:crypto'
import type { Check } from '../core/checks.js'
import type { Clock, Random } from '../core/clock.js'
import type { Reason } from '../core/reasons.js'
import type { Store } from '../core/store.js'
import type { Log } from './log.js'

export interface RefusedLoginReport {
  reference: string
  /** Milliseconds since the epoch. */
  at: number
  provider: string | undefined
  /** The address that the provider vouched for, if any. */
  agent?: string
  reason: Reason
  checks: Check[]
  address: string
  browser: string
  /** Set when a logout or a revocation was refused, not a login. */
  of?: 'logout' | 'revocation'
  /** Replaces the hint of the reason. */
  hint?: string
}

export interface RefusedLogins {
  /** Returns the reference at once, and writes the report in the background. Never throws. */
  record(report: Omit<RefusedLoginReport, 'reference' | 'at'>): string
  /** Undefined when there is none, or it is older than a week. Rejects with StoreUnavailable. */
  find(reference: string): Promise<RefusedLoginReport | undefined>
  /** Every report that is kept, or those of one agent, the newest first. Rejects with StoreUnavailable. */
  recent(agent?: string): Promise<RefusedLoginEntry[]>
}

/** A report in the list of all. */
export interface RefusedLoginEntry {
  reference: string
  /** Milliseconds since the epoch. */
  at: number
  provider: string | undefined
}

const week = 7 * 86_400_000
/** The most reports that are kept; a process makes room each time it has written so many. */
const mostKept = 10_000
const roomEvery = 100
const list = 'd:all'
/** The most reports that one process writes in a minute. Attack: refused logins cost an attacker nothing. */
const perMinute = 120
/** Without 0, O, 1, I, L, U: people read references out over the phone. */
const alphabet = '23456789ABCDEFGHJKMNPQRSTVWXYZ'
/** Five characters, a hyphen, five more. */
export const referencePattern = /^[2-9A-Z]{5}-[2-9A-Z]{5}$/

export function createRefusedLogins(deps: { store: Store; clock: Clock; random: Random; log: Log }): RefusedLogins {
  const { store, clock, log } = deps
  let minute = 0
  let written = 0
  let sinceRoom = 0

  const mayWrite = (now: number) => {
    const current = Math.floor(now / 60_000)
    if (current !== minute) [minute, written] = [current, 0]
    return written++ < perMinute
  }

  const write = async (report: RefusedLoginReport) => {
    await store.set(keyOf(report.reference), Buffer.from(JSON.stringify(report)), week)
    await store.indexAdd(list, memberOf(report), week)
    if (sinceRoom++ % roomEvery === 0) await makeRoom(store)
  }

  return {
    record(report) {
      const reference = newReference(deps.random)
      const at = clock.now()
      if (!mayWrite(at)) return reference
      write({ reference, at, ...report }).catch((error: Error) => {
        log.warn(
          { reference, reason: report.reason, error: error.message },
          'report of a refused login could not be stored',
        )
      })
      return reference
    },
    async find(reference) {
      const read = reference.trim().toUpperCase()
      if (!referencePattern.test(read)) return undefined
      const value = await store.get(keyOf(read))
      if (!value) return undefined
      const report = parse(value)
      return report && clock.now() - report.at < week ? report : undefined
    },
    async recent(agent) {
      const digest = agent === undefined ? undefined : digestOf(agent)
      const members = (await membersOf(store)).reverse().map(member => member.split('.'))
      return members.filter(parts => digest === undefined || parts[3] === digest).flatMap(entryOf)
    },
  }
}

/** Removes the oldest reports above the limit. Attack: refused logins cost an attacker nothing. */
async function makeRoom(store: Store): Promise<void> {
  const members = await membersOf(store)
  const oldest = members.slice(0, Math.max(0, members.length - mostKept))
  if (oldest.length === 0) return
  await store.delete(oldest.map(member => keyOf(member.split('.', 1)[0] as string)))
  await store.indexRemove(list, oldest)
}

/** The oldest first: they expire in this order. */
async function membersOf(store: Store): Promise<string[]> {
  const members: string[] = []
  let cursor: string | undefined
  do {
    const page = await store.indexPage(list, cursor, 1000)
    members.push(...page.members)
    cursor = page.cursor
  } while (cursor !== undefined && members.length < 2 * mostKept)
  return members
}

/** Reference, time, provider and a digest of the agent's address, so that the list can be searched without the reports. */
function memberOf({ reference, at, provider = '', agent }: RefusedLoginReport): string {
  return [reference, at.toString(36), provider, agent === undefined ? '' : digestOf(agent)].join('.')
}

function entryOf([reference = '', at = '', provider = '']: string[]): RefusedLoginEntry[] {
  if (!referencePattern.test(reference)) return []
  return [{ reference, at: Number.parseInt(at, 36), provider: provider === '' ? undefined : provider }]
}

function digestOf(agent: string): string {
  return hash('sha256', agent, 'base64url').slice(0, 16)
}

/** Undefined for a value that is not a report. */
function parse(value: Buffer): RefusedLoginReport | undefined {
  try {
    const read: unknown = JSON.parse(value.toString())
    return typeof read === 'object' && read !== null && 'checks' in read ? (read as RefusedLoginReport) : undefined
  } catch {
    return undefined
  }
}

function keyOf(reference: string): string {
  return `d:${reference}`
}

/** Ten characters in two groups: 49 random bits, so that references cannot be guessed. */
function newReference(random: Random): string {
  let letters = ''
  while (letters.length < 10) {
    for (const byte of random(16)) {
      // 240 is a multiple of the alphabet's 30 characters: all are equally likely.
      if (byte < 240 && letters.length < 10) letters += alphabet[byte % alphabet.length]
    }
  }
  return `${letters.slice(0, 5)}-${letters.slice(5)}`
}
