// Keeps live sessions in line with the directory and the access rules: an agent who is gone, inactive or no longer
// allowed loses the session; new roles, names and IDs apply without a new login. A directory that cannot answer ends
// nothing.

import { setImmediate as yieldToEvents } from 'node:timers/promises'
import { type RecordCheck, Refused } from '../../core/checks.js'
import type { Agent, Directory, KnownState } from '../../core/directory.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Revalidate, Revalidated, Session, Sessions } from '../../core/sessions.js'
import { mergeIdentity } from '../../directory/directory.js'
import type { Log } from '../../ops/log.js'
import { isConfigured } from '../../providers/create.js'
import { isRehearsal, rehearsalAgent, rehearsalTime } from '../../providers/rehearsal.js'
import { type Scheduler, systemScheduler } from '../../runtime/clock.js'
import { sessionOf } from '../../sessions/records.js'
import { everySession } from '../../sessions/sessions.js'
import type { ConfigSnapshot } from '../context.js'
import { checkAgent, sameAgent } from './authorize-agent.js'

type RevalidationRules = Pick<ConfigSnapshot, 'directory' | 'identity' | 'config'>

/** Milliseconds until a revocation that the store did not take is tried again. */
const retryAfter = 5000
/** Agents whose sessions are looked up at the same time. */
const batchSize = 8

export const endReasons = {
  unknown: 'the directory does not know the agent any more',
  disabled: 'the directory says that the agent is inactive',
  removed: 'its provider is no longer configured',
}

/** Checks a session against the directory and the rules of the snapshot in force. */
export function createRevalidate(current: () => RevalidationRules): Revalidate {
  return session => {
    if (isRehearsal(session.provider)) return isRehearsed(session) ? session : { over: endReasons.removed }
    const snapshot = current()
    const known = snapshot.directory.knownState?.(session.agent.email)
    if (known instanceof Promise) return known.then(state => revalidate(snapshot, session, state))
    return revalidate(snapshot, session, known)
  }
}

function revalidate(snapshot: RevalidationRules, session: Session, known: KnownState | undefined): Revalidated {
  // Attack: the rules of a provider that is no longer configured are gone as well, so that its sessions would pass.
  if (!isConfigured(session.provider, snapshot.config.providers)) return { over: endReasons.removed }
  // An answer from before the login does not count: the replica that logged the agent in may have known more.
  const found = known && known.at > session.createdAt ? known.found : undefined
  if (typeof found === 'string') return { over: endReasons[found] }
  const { attributes } = session.agent
  const claims = { ...session.idpClaims, ...(attributes === undefined ? {} : { attributes }) }
  const agent = found === undefined ? session.agent : mergeIdentity(found, claims)
  const forbidden = whyForbidden(snapshot, session.provider, agent)
  if (forbidden !== undefined) return { over: forbidden }
  return sameAgent(agent, session.agent) ? session : sessionOf(session, session.seenAt, agent)
}

/** The one agent, who is in no directory, without roles, and for no longer than a rehearsal lasts. */
function isRehearsed({ agent, createdAt, endsAt }: Session): boolean {
  return agent.email === rehearsalAgent && agent.roles.length === 0 && endsAt - createdAt <= rehearsalTime
}

function whyForbidden(snapshot: RevalidationRules, provider: string, agent: Agent): string | undefined {
  let why: string | undefined
  const step: RecordCheck = (name, { ok, reason, setting }) => {
    if (ok) return
    why = `the agent may no longer log in: ${name} (${setting ?? reason})`
    throw new Refused(reason)
  }
  try {
    checkAgent(step, snapshot, provider, agent)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
  }
  return why
}

export interface AgentRevalidationDeps {
  sessions: Pick<Sessions, 'revalidateAll' | 'list' | 'end'>
  /** Checks the live connections again. */
  recheckLive(): Promise<void>
  log: Log
  schedule?: Scheduler
}

export interface AgentRevalidation {
  /**
   * Follows the changes of this directory from now on, and checks all sessions. Call it at the start and after a
   * reload.
   */
  follow(directory: Directory): Promise<void>
  close(): void
}

export function createAgentRevalidation(deps: AgentRevalidationDeps): AgentRevalidation {
  const { sessions, recheckLive, log, schedule = systemScheduler } = deps
  const changed = new Set<string>()
  let running: Promise<void> | undefined
  let retry: { cancel(): void } | undefined
  let periodic: { cancel(): void } | undefined
  let followed: Directory | undefined

  const revalidateAll = async () => {
    await sessions.revalidateAll()
    const emails = [...changed]
    changed.clear()
    for (let at = 0; at < emails.length; at += batchSize) {
      if (at % (100 * batchSize) === 0) await yieldToEvents()
      await Promise.all(emails.slice(at, at + batchSize).map(endIfGone))
    }
    await recheckLive()
  }
  /** Ends also the sessions that no process has in memory, so that the end is logged when it happens. */
  const endIfGone = async (email: string) => {
    const known = await followed?.knownState?.(email)
    if (!known || typeof known.found !== 'string') return
    try {
      await endAll(sessions, email, endReasons[known.found])
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      changed.add(email)
    }
  }
  const run = (): Promise<void> => {
    running ??= revalidateAll()
      .catch((error: Error) => log.error({ error: error.message }, 'revalidation of logged-in agents failed'))
      .finally(() => {
        running = undefined
        if (changed.size > 0 && followed) retry = schedule(run, retryAfter)
      })
    return running
  }
  /** A run in progress may have begun with the old state: then another one follows. */
  const runAgain = () => (running ?? Promise.resolve()).then(run)
  const schedulePeriodic = (directory: Directory) => {
    if (directory.askEvery === undefined || followed !== directory) return
    periodic = schedule(() => void run().finally(() => schedulePeriodic(directory)), directory.askEvery)
  }

  return {
    follow(directory) {
      if (followed !== directory) {
        followed = directory
        periodic?.cancel()
        directory.onChange?.(emails => {
          if (followed !== directory) return
          for (const email of emails) changed.add(email)
          void runAgain()
        })
        schedulePeriodic(directory)
      }
      return runAgain()
    },
    close() {
      followed = undefined
      retry?.cancel()
      periodic?.cancel()
    },
  }
}

/** One by one by handle: ending by address would search all sessions in memory, again for each agent. */
async function endAll(sessions: Pick<Sessions, 'list' | 'end'>, email: string, why: string): Promise<void> {
  for await (const { handle } of everySession(sessions, { email })) await sessions.end({ handle }, why)
}
