// mode: observe: who would have been stopped, and why, in groups by path pattern, kind of client and reason. Bounded in
// memory whatever clients send. A pattern shows words only: no ID, no token, no query.

import * as z from 'zod'
import type { Clock } from '../core/clock.js'

/** Requests with the same method, pattern, kind of client and reason. */
const observedGroup = z.strictObject({
  method: z.string(),
  path: z.string().meta({ description: 'A pattern of words: no ID, no token, no query.' }),
  client: z.enum(['document', 'frame', 'program', 'websocket', 'event_stream']),
  why: z.enum(['no_session', 'forbidden', 'step_up', 'bearer_refused', 'wrong_origin', 'store_unavailable']),
  /** The rules that are not met, or the reason for which a token was refused. */
  detail: z.string().exactOptional(),
  requests: z.int(),
  first: z.iso.datetime(),
  last: z.iso.datetime(),
  /** A few of them. */
  agents: z.array(z.string()),
  addresses: z.array(z.string()),
})

export const observedFacts = z.strictObject({
  mode: z.enum(['enforce', 'observe']),
  /** When the count began: at the start, or when the settings that decide were changed. */
  since: z.iso.datetime(),
  requests: z.int(),
  /** The most frequent first. */
  groups: z.array(observedGroup),
  forgotten: z.int().meta({ description: 'Requests of groups that had to make room.' }),
})

export type ObservedGroup = z.infer<typeof observedGroup>
export type ObservedFacts = z.infer<typeof observedFacts>
/** Why a request would have been stopped. */
export type StopReason = ObservedGroup['why']

/** `path`: decoded, without the query. */
export interface ObservedRequest extends Pick<ObservedGroup, 'method' | 'path' | 'client' | 'why' | 'detail'> {
  /** The agent, where a session or a token says who it is. */
  agent: string | undefined
  address: string
}

export interface ObservedRequests {
  note(request: ObservedRequest): void
  facts(): ObservedFacts
  /** Begins anew: other settings decide from now on. */
  begin(mode: ObservedFacts['mode']): void
}

/** The most groups, path prefixes whose continuations are counted, and agents or addresses of a group. */
const [maxGroups, maxParents, maxNames] = [500, 1000, 5]
/** The most different segments after one prefix, and segments of a pattern. */
const [maxChildren, maxDepth] = [30, 6]

export function createObservedRequests(deps: { clock: Clock; mode: ObservedFacts['mode'] }): ObservedRequests {
  const { clock } = deps
  const groups = new Map<string, ObservedGroup>()
  let { mode } = deps
  let patternOf = createPatterns()
  let since = clock.now()
  let [requests, forgotten] = [0, 0]

  /** Attack: a scanner that asks for ever new paths must not push out what is asked for again and again. */
  const makeRoom = () => {
    let [victim] = groups
    for (const entry of groups) {
      if (entry[1].requests > 1) continue
      victim = entry
      break
    }
    if (!victim) return
    groups.delete(victim[0])
    forgotten += victim[1].requests
  }
  const groupOf = ({ method, client, why, detail }: ObservedRequest, path: string, now: string) => {
    const key = JSON.stringify([method, path, client, why, detail])
    const known = groups.get(key)
    // The one that was noted last is the last.
    groups.delete(key)
    if (!known && groups.size >= maxGroups) makeRoom()
    const facts = { method, path, client, why, ...(detail === undefined ? {} : { detail }) }
    const group = known ?? { ...facts, requests: 0, first: now, last: now, agents: [], addresses: [] }
    groups.set(key, group)
    return group
  }

  return {
    note(request) {
      const now = new Date(clock.now()).toISOString()
      const group = groupOf(request, patternOf(request.path), now)
      requests++
      group.requests++
      group.last = now
      addName(group.addresses, request.address)
      if (request.agent !== undefined) addName(group.agents, request.agent)
    },
    facts: () => ({
      ...{ mode, since: new Date(since).toISOString(), requests, forgotten },
      groups: [...groups.values()].sort((a, b) => b.requests - a.requests),
    }),
    begin(next) {
      mode = next
      since = clock.now()
      patternOf = createPatterns()
      groups.clear()
      requests = 0
      forgotten = 0
    },
  }
}

function addName(names: string[], name: string): void {
  if (names.length < maxNames && !names.includes(name)) names.push(name)
}

/** Words joined by '-', '_' or '.', with at most two digits behind each: "v2", "ticket_list", "userProfile.json". */
const word = '(?:[A-Z]?[a-z]+(?:[A-Z][a-z]+){0,3}|[A-Z]+)\\d{0,2}'
const words = new RegExp(`^[._-]?${word}(?:[._-]${word}){0,5}$`)
const longest = 32

/** Each segment that is no word, and each beyond a few dozen after one prefix, becomes '*'. */
function createPatterns(): (path: string) => string {
  const children = new Map<string, Set<string>>()
  const isKnown = (parent: string, segment: string) => {
    const known = children.get(parent) ?? new Set()
    if (known.has(segment)) return true
    if (known.size >= maxChildren || (known.size === 0 && children.size >= maxParents)) return false
    children.set(parent, known.add(segment))
    return true
  }
  return path => {
    let pattern = ''
    const segments = path.split('/', maxDepth + 2).slice(1)
    for (const segment of segments.slice(0, maxDepth)) {
      const isWord = segment.length <= longest && words.test(segment)
      pattern += segment === '' || (isWord && isKnown(pattern, segment)) ? `/${segment}` : '/*'
    }
    return segments.length > maxDepth ? `${pattern}/…` : pattern
  }
}

/** The facts of several processes as one. */
export function mergeObserved(parts: readonly ObservedFacts[]): ObservedFacts {
  const merged = new Map<string, ObservedGroup>()
  for (const group of parts.flatMap(part => part.groups)) {
    const { method, path, client, why, detail, agents, addresses } = group
    const key = JSON.stringify([method, path, client, why, detail])
    const known = merged.get(key)
    if (!known) {
      merged.set(key, { ...group, agents: [...agents], addresses: [...addresses] })
      continue
    }
    known.requests += group.requests
    if (group.first < known.first) known.first = group.first
    if (group.last > known.last) known.last = group.last
    for (const name of agents) addName(known.agents, name)
    for (const name of addresses) addName(known.addresses, name)
  }
  const sum = (of: (part: ObservedFacts) => number) => parts.reduce((total, part) => total + of(part), 0)
  return {
    mode: parts.some(({ mode }) => mode === 'observe') ? 'observe' : 'enforce',
    since: parts.map(({ since }) => since).sort()[0] ?? '',
    requests: sum(part => part.requests),
    groups: [...merged.values()].sort((a, b) => b.requests - a.requests),
    forgotten: sum(part => part.forgotten),
  }
}
