// One request per e-mail address (a URL with {email}), for lists that are too large or may not be listed. Answers are
// kept for `refresh`; while the API is down the last answer is used, and nothing can be said of other addresses.

import { LRUCache } from 'lru-cache'
import type { AgentRecord, DirectorySource, KnownState } from '../../../core/directory.js'
import { DirectoryUnavailable } from '../../../core/errors.js'
import { pointAt } from '../../../core/json-pointer.js'
import { FetchFailed } from '../../../runtime/http-client.js'
import { findInList } from '../agents-list.js'
import { type HttpSourceDeps, requestHeaders } from './list.js'
import { createMapping } from './mapping.js'
import { listOf, parse } from './pagination.js'

/** Addresses whose answers are kept. */
const maxAnswers = 100_000
const limits = { ms: 5000, bytes: 1024 * 1024 }
const queueLimits = { concurrency: 16, maxWaiting: 2000 }
/** Milliseconds that a negative answer is used for logins: a new agent wants to log in soon. */
const negativeTtl = 5000
/** Milliseconds after a failure in which other look-ups fail at once: nobody waits for an API that hangs. */
const coolDown = 2000

export function createHttpLookupSource(deps: HttpSourceDeps): DirectorySource {
  const { name, settings, clock, log } = deps
  const { refresh, staleFor } = settings
  const request = createRequest(deps)
  const answers = new LRUCache<string, KnownState>({ max: maxAnswers })
  const inFlight = new Map<string, Promise<KnownState>>()
  const queue = createQueue(queueLimits)
  const listeners: ((emails: readonly string[]) => void)[] = []
  let failed: { why: string; at: number } | undefined

  const age = ({ at }: { at: number }) => Math.abs(clock.now() - at)
  const store = (email: string, answer: KnownState) => {
    const before = answers.get(email)
    answers.set(email, answer)
    if (failed) log.info({ source: name }, 'agents look-up available again')
    failed = undefined
    if (before && JSON.stringify(before.found) !== JSON.stringify(answer.found)) {
      for (const listener of listeners) listener([email])
    }
    return answer
  }
  const fail = (error: unknown): never => {
    const why = error instanceof Error ? error.message : 'unknown error'
    if (!failed) log.warn({ source: name, error: why }, 'agents look-up failed, keeping the last answer')
    failed = { why, at: clock.now() }
    throw new DirectoryUnavailable(why, { cause: error })
  }
  const lookUp = (email: string): Promise<KnownState> => {
    const known = inFlight.get(email)
    if (known) return known
    if (failed && age(failed) < coolDown) return Promise.reject(new DirectoryUnavailable(failed.why))
    const lookup = queue(async () => {
      const at = clock.now()
      return { found: await request(email), at }
    })
      .then(answer => store(email, answer), fail)
      .finally(() => inFlight.delete(email))
    inFlight.set(email, lookup)
    return lookup
  }

  return {
    name,
    askEvery: refresh,
    async find(email) {
      const known = answers.get(email)
      if (known && age(known) < (typeof known.found === 'string' ? Math.min(negativeTtl, refresh) : refresh))
        return known.found
      try {
        return (await lookUp(email)).found
      } catch (error) {
        if (known && known.found !== 'unknown' && age(known) <= staleFor) return known.found
        throw error
      }
    },
    knownState(email) {
      const known = answers.get(email)
      if (known && age(known) < refresh) return known
      return lookUp(email).catch(() => known)
    },
    onChange: listener => void listeners.push(listener),
  }
}

/** Asks the API about one address. Throws FetchFailed and ListUnusable. */
function createRequest({
  settings,
  fetchText,
}: HttpSourceDeps): (email: string) => Promise<AgentRecord | 'unknown' | 'disabled'> {
  const headers = requestHeaders(settings)
  const mapEntry = createMapping(settings.map)
  return async email => {
    const url = settings.url.replaceAll('{email}', encoded(email))
    const text = await textOf(() => fetchText(url, { ...limits, headers }))
    if (text === undefined) return 'unknown'
    const value = pointAt(parse(text, 'the response'), settings.list)
    const entries: unknown[] = Array.isArray(value) ? value : [value]
    // Attack: a search may find other agents too; only an exact match counts.
    const agents = entries.flatMap(entry => mapEntry(entry).agent ?? []).filter(agent => agent.email === email)
    const page = { etag: undefined, digest: '', agents, problems: [], next: undefined }
    return findInList((await listOf(new Map([[url, page]]))).agents, email)
  }
}

/** Attack: an address may hold characters with a meaning in URLs; "'" has one in many search languages. */
function encoded(email: string): string {
  return encodeURIComponent(email).replaceAll("'", '%27')
}

/** Undefined: there is no such agent. A 404 with an HTML or plain text page comes from a server in front of the API: no answer. */
async function textOf(fetching: () => Promise<{ text: string }>): Promise<string | undefined> {
  try {
    return (await fetching()).text
  } catch (error) {
    const answer = error instanceof FetchFailed ? error.answer : undefined
    if (answer?.status === 404 && !/^text\/(?:html|plain)\b/i.test(answer.type ?? '')) return undefined
    throw error
  }
}

/** Runs `work` when its turn comes. Rejects at once when too many wait. */
type Queue = <T>(work: () => Promise<T>) => Promise<T>

/** Protects the API: `concurrency` look-ups run at the same time, `maxWaiting` more may wait. */
function createQueue({ concurrency, maxWaiting }: { concurrency: number; maxWaiting: number }): Queue {
  const waiting: (() => void)[] = []
  let running = 0
  return async work => {
    if (running >= concurrency) {
      if (waiting.length >= maxWaiting) throw new Error('too many look-ups wait')
      await new Promise<void>(resolve => waiting.push(resolve))
    } else running++
    try {
      return await work()
    } finally {
      // The next one takes over this slot.
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}
