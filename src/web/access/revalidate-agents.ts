// Agents who are logged in stay who the directory says they are: who is gone, inactive or no longer allowed loses the
// session, and new roles, names and IDs count without a new login. A directory that cannot answer ends nothing.

import { setImmediate as breathe } from 'node:timers/promises'
import { Refused, type Step } from '../../core/checks.js'
import type { Agent, Directory, Review, Reviewed, Session, Sessions, Standing } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import { agentOf } from '../../directory/merge-identity.js'
import type { Log } from '../../ops/log.js'
import { type Later, timer } from '../../runtime/scheduler.js'
import type { Generation } from '../context.js'
import { checkAgent } from './authorize-agent.js'
import { sameAgent } from './same-agent.js'

type Judging = Pick<Generation, 'directory' | 'identity' | 'config'>

/** Milliseconds until endings that the store did not take are tried again. */
const retry = 5000
/** Agents whose sessions are looked up at the same time. */
const together = 8

const over = {
  unknown: 'the directory does not know the agent any more',
  disabled: 'the directory says that the agent is inactive',
}

/** Every session against the directory and the rules of the generation that counts now. */
export function createReview(current: () => Judging): Review {
  return session => {
    const generation = current()
    const standing = generation.directory.standing?.(session.agent.email)
    if (standing instanceof Promise) return standing.then(stood => judge(generation, session, stood))
    return judge(generation, session, standing)
  }
}

function judge(generation: Judging, session: Session, standing: Standing | undefined): Reviewed {
  // What was so before the login is no news: another replica, which let the agent in, may know more than this one.
  const found = standing && standing.at > session.createdAt ? standing.found : undefined
  if (typeof found === 'string') return { over: over[found] }
  const agent = found === undefined ? session.agent : agentOf(found, session.said ?? {})
  const forbidden = whyForbidden(generation, session.provider, agent)
  if (forbidden !== undefined) return { over: forbidden }
  return sameAgent(agent, session.agent) ? session : { ...session, agent }
}

function whyForbidden(generation: Judging, provider: string, agent: Agent): string | undefined {
  let why: string | undefined
  const step: Step = (name, { ok, reason, setting }) => {
    if (ok) return
    why = `the agent may not come in any more: ${name} (${setting ?? reason})`
    throw new Refused(reason)
  }
  try {
    checkAgent(step, generation, provider, agent)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
  }
  return why
}

export interface LiveAgentsDeps {
  current: () => Judging
  sessions: Pick<Sessions, 'reviewBy' | 'reviewAll' | 'list' | 'end'>
  /** Looks at the open WebSockets. */
  sweep(): Promise<void>
  log: Log
  later?: Later
}

export interface LiveAgents {
  /** From now on this directory's changes count; all that is at hand is reviewed. For the start, and after a reload. */
  follow(directory: Directory): Promise<void>
  close(): void
}

export function keepAgentsLive(deps: LiveAgentsDeps): LiveAgents {
  const { current, sessions, sweep, log, later = timer } = deps
  const changed = new Set<string>()
  let running: Promise<void> | undefined
  let next: { cancel(): void } | undefined
  let period: { cancel(): void } | undefined
  let followed: Directory | undefined
  sessions.reviewBy(createReview(current))

  const work = async () => {
    await sessions.reviewAll()
    const emails = [...changed]
    changed.clear()
    for (let at = 0; at < emails.length; at += together) {
      if (at % (100 * together) === 0) await breathe()
      await Promise.all(emails.slice(at, at + together).map(catchUp))
    }
    await sweep()
  }
  /** Who is gone has sessions that no process remembers; they end too, so that their end is told when it happens. */
  const catchUp = async (email: string) => {
    const standing = await followed?.standing?.(email)
    if (!standing || typeof standing.found !== 'string') return
    try {
      await endAll(sessions, email, over[standing.found])
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      changed.add(email)
    }
  }
  const run = (): Promise<void> => {
    running ??= work()
      .catch((error: Error) => log.error({ error: error.message }, 'live agents could not be looked at again'))
      .finally(() => {
        running = undefined
        if (changed.size > 0 && followed) next = later(run, retry)
      })
    return running
  }
  /** Also when one is under way: it may have begun with what counted before. */
  const afresh = () => (running ?? Promise.resolve()).then(run)
  const ask = (directory: Directory) => {
    if (directory.askEvery === undefined || followed !== directory) return
    period = later(() => void run().finally(() => ask(directory)), directory.askEvery)
  }

  return {
    follow(directory) {
      if (followed !== directory) {
        followed = directory
        period?.cancel()
        directory.onChange?.(emails => {
          if (followed !== directory) return
          for (const email of emails) changed.add(email)
          void afresh()
        })
        ask(directory)
      }
      return afresh()
    },
    close() {
      followed = undefined
      next?.cancel()
      period?.cancel()
    },
  }
}

/** One by one by their handles: an ending by address would look at all that this process remembers, for each agent again. */
async function endAll(sessions: Pick<Sessions, 'list' | 'end'>, email: string, why: string): Promise<void> {
  let cursor: string | undefined
  do {
    const page = await sessions.list({ email }, cursor)
    for (const { handle } of page.items) await sessions.end({ handle }, why)
    cursor = page.cursor
  } while (cursor !== undefined)
}
