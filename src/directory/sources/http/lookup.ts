// One look-up per e-mail address (a URL with {email}), for lists that are too large or may not be listed. Answers are kept
// for `refresh`; while the API is down the last answer counts, and an address that was never answered cannot be told.

import { LRUCache } from 'lru-cache'
import type { Found, Standing } from '../../../core/contracts.js'
import { DirectoryUnavailable } from '../../../core/errors.js'
import { pointAt } from '../../../core/json-pointer.js'
import { FetchFailed } from '../../../runtime/http-client.js'
import type { DirectorySource } from '../../directory.js'
import { foundIn } from '../agents-list.js'
import { type HttpDeps, revealed } from './list.js'
import { createMapping } from './mapping.js'
import { listOf, parse } from './pagination.js'
import { createQueue } from './queue.js'

/** Addresses whose answers are kept. */
const remembered = 100_000
const limits = { ms: 5000, bytes: 1024 * 1024 }
/** At the same time, and waiting. */
const [together, waiting] = [16, 2000]
/** Milliseconds that an answer other than an active agent counts for logins: who was just added wants to come in. */
const freshNo = 5000
/** Milliseconds that a failure stands for the next ones: nobody waits for an API that hangs. */
const coolDown = 2000

export function createAgentsLookUp(deps: HttpDeps): DirectorySource {
  const { name, settings, clock, log } = deps
  const { refresh, staleFor } = settings
  const ask = createAsking(deps)
  const answers = new LRUCache<string, Standing>({ max: remembered })
  const flights = new Map<string, Promise<Standing>>()
  const queue = createQueue({ together, waiting })
  const listeners: ((emails: readonly string[]) => void)[] = []
  let failed: { why: string; at: number } | undefined

  const age = ({ at }: { at: number }) => Math.abs(clock.now() - at)
  const take = (email: string, answer: Standing) => {
    const before = answers.get(email)
    answers.set(email, answer)
    if (failed) log.info({ source: name }, 'the agents can be looked up again')
    failed = undefined
    if (before && JSON.stringify(before.found) !== JSON.stringify(answer.found)) {
      for (const listener of listeners) listener([email])
    }
    return answer
  }
  const fail = (error: unknown): never => {
    const why = error instanceof Error ? error.message : 'unknown error'
    if (!failed)
      log.warn({ source: name, error: why }, 'an agent could not be looked up; what was answered before counts')
    failed = { why, at: clock.now() }
    throw new DirectoryUnavailable(why, { cause: error })
  }
  const lookUp = (email: string): Promise<Standing> => {
    const known = flights.get(email)
    if (known) return known
    if (failed && age(failed) < coolDown) return Promise.reject(new DirectoryUnavailable(failed.why))
    const flight = queue(async () => {
      const at = clock.now()
      return { found: await ask(email), at }
    })
      .then(answer => take(email, answer), fail)
      .finally(() => flights.delete(email))
    flights.set(email, flight)
    return flight
  }

  return {
    name,
    askEvery: refresh,
    async find(email) {
      const known = answers.get(email)
      if (known && age(known) < (typeof known.found === 'string' ? Math.min(freshNo, refresh) : refresh))
        return known.found
      try {
        return (await lookUp(email)).found
      } catch (error) {
        if (known && known.found !== 'unknown' && age(known) <= staleFor) return known.found
        throw error
      }
    },
    standing(email) {
      const known = answers.get(email)
      if (known && age(known) < refresh) return known
      return lookUp(email).catch(() => known)
    },
    onChange: listener => void listeners.push(listener),
  }
}

/** Asks the API about one address. Throws FetchFailed and ListUnusable. */
function createAsking({ settings, fetchText }: HttpDeps): (email: string) => Promise<Found | 'unknown' | 'disabled'> {
  const headers = revealed(settings)
  const mapEntry = createMapping(settings.map)
  return async email => {
    const url = settings.url.replaceAll('{email}', encoded(email))
    const text = await textOf(() => fetchText(url, { ...limits, headers }))
    if (text === undefined) return 'unknown'
    const value = pointAt(parse(text, 'the answer'), settings.list)
    const entries: unknown[] = Array.isArray(value) ? value : [value]
    // A search may find others too. Attack: it must not let anybody in as somebody else.
    const agents = entries.flatMap(entry => mapEntry(entry).agent ?? []).filter(agent => agent.email === email)
    const page = { etag: undefined, digest: '', agents, troubles: [], next: undefined }
    return foundIn((await listOf(new Map([[url, page]]))).agents, email)
  }
}

/** Attack: an address may hold what structures a URL; "'" is the one more that search languages quote with. */
function encoded(email: string): string {
  return encodeURIComponent(email).replaceAll("'", '%27')
}

/** Undefined: there is no such agent. A page that says 404 comes from something in front of the API, and says nothing. */
async function textOf(fetching: () => Promise<{ text: string }>): Promise<string | undefined> {
  try {
    return (await fetching()).text
  } catch (error) {
    const answer = error instanceof FetchFailed ? error.answer : undefined
    if (answer?.status === 404 && !/^text\/(?:html|plain)\b/i.test(answer.type ?? '')) return undefined
    throw error
  }
}
