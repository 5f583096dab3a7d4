// Desk's own login, carried on: a browser that has just logged in at Desk comes to the login page with a mark, Desk is asked
// once who that is, and the answer goes the ordinary way to an ordinary session. Never asks for a cookie without a mark.

import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import type { Check } from '../../core/checks.js'
import type { Attempt, Clock, Sessions, Store, Verdict } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Log } from '../../ops/log.js'
import type { Attempts } from '../login/attempts.js'
import type { Entered, NotEntered, SignIn } from '../login/sign-in.js'
import { isVisit } from '../request/fetch-metadata.js'
import { browserName } from '../request/user-agent.js'
import { jarOf } from '../responses/fastify-reply.js'

export interface DeskEntryDeps {
  store: Pick<Store, 'claim'>
  sessions: Pick<Sessions, 'read'>
  attempts: Attempts
  signIn: SignIn
  clock: Clock
  log: Log
}

/** `in`: a session. `nobody`: Desk says that nobody is logged in, or the mark has been used. */
export type DeskOutcome =
  | { how: 'in'; entered: Entered; attempt: Attempt | undefined }
  | ({ how: 'refused' } & NotEntered)
  | { how: 'nobody' }

export interface DeskEntry {
  /** What becomes of a visit to the login page; undefined when there is no mark on it. */
  enter(request: FastifyRequest): Promise<DeskOutcome | undefined>
}

/** How long tabs of one login may lie apart, in milliseconds: one of them asks Desk, all of them get its session. */
const together = 5_000
const mostAtOnce = 1_000
/** A used mark is remembered this much longer than it holds: clocks of replicas differ. Milliseconds. */
const margin = 60_000

export function createDeskEntry(deps: DeskEntryDeps): DeskEntry {
  const flights = new LRUCache<string, Promise<DeskOutcome>>({
    max: mostAtOnce,
    ttl: together,
    ttlAutopurge: true,
    ttlResolution: 0,
    perf: deps.clock,
  })

  return {
    async enter(request) {
      const { deskLogin } = request.visit.generation
      const marked = deskLogin && isVisit(request.raw) ? deskLogin.marks.marked(jarOf(request)) : undefined
      if (!marked) return undefined
      const id = createHash('sha256').update(marked.mark).digest('base64url')
      const earlier = await flights.get(id)
      if (earlier) return (await stillHolds(deps, earlier)) ? earlier : { how: 'nobody' }
      const flight = identify(deps, request, { ...marked, id })
      flights.set(id, flight)
      flight.catch(() => flights.delete(id))
      return flight
    },
  }
}

/** Attack: the session of a tab's login has been ended since; another tab must not bring it back. */
async function stillHolds({ sessions }: DeskEntryDeps, outcome: DeskOutcome): Promise<boolean> {
  if (outcome.how !== 'in') return true
  return (await sessions.read(outcome.entered.session.handle)) !== undefined
}

async function identify(
  deps: DeskEntryDeps,
  request: FastifyRequest,
  { cookie, until, id }: { cookie: string; until: number; id: string },
): Promise<DeskOutcome> {
  const { visit, headers } = request
  const { deskLogin, street } = visit.generation
  const first = await claimMark(deps, id, until)
  if (first === 'unavailable') return { how: 'refused', reason: 'session.store_unavailable', checks: [storeCheck] }
  if (!deskLogin || first === 'used') return { how: 'nobody' }
  const agent = headers['user-agent']
  const browser = agent === undefined ? [] : ['User-Agent', agent]
  const verdict = await deskLogin.way.identify({
    ask: (path, wanted) => street.ask(path, [...wanted, ...browser], visit),
    cookie,
    claim: { id, until },
  })
  if (verdict === 'nobody') {
    deps.log.info({ request: visit.id }, 'Desk says that nobody is logged in with the cookie that it has just set')
    return { how: 'nobody' }
  }
  return signIn(deps, request, verdict, id)
}

async function signIn(deps: DeskEntryDeps, request: FastifyRequest, word: Verdict, id: string): Promise<DeskOutcome> {
  const { visit, headers } = request
  const jar = jarOf(request)
  // The login page that this browser came from, if it was ours: it says where to go on to.
  const attempt = deps.attempts.list(jar).findLast(({ provider, used }) => provider === word.provider && !used)
  const verdict: Verdict = { ...word, ...(attempt ? { attempt } : {}) }
  const from = { address: visit.address, browser: browserName(headers['user-agent']) }
  const provider = { id: word.provider, type: 'desk' as const }
  const result = await deps.signIn.enter({ visit, jar, browser: id, from, provider, verdict })
  if ('reason' in result) return { how: 'refused', ...result }
  return { how: 'in', entered: result.entered, attempt }
}

/** Atomic on every replica, and before Desk is asked: a mark is good for one question. */
async function claimMark({ store, clock }: DeskEntryDeps, id: string, until: number) {
  try {
    const left = Math.max(0, until - clock.now())
    return (await store.claim(`c:desk-mark:${id}`, Math.ceil(left + margin))) ? 'fresh' : 'used'
  } catch (error) {
    if (error instanceof StoreUnavailable) return 'unavailable'
    throw error
  }
}

const storeCheck: Check = { name: 'session store answers', ok: false, setting: 'sessions.store' }
