// mode: observe. Which paths pass although the guard would stop the request, what is noted of it, and the live connections
// that began so. It grants nothing: only the guard asks it, and what it lets pass goes to Desk without identity, or with
// that of a valid session or token.

import type { IncomingMessage } from 'node:http'
import type { Config } from '../../config/schema/index.js'
import type { ObservedRequest, StopReason } from '../../ops/observed.js'
import type { AccessVerdict, ConfigSnapshot, Guard, RequestContext } from '../context.js'
import { clientKindOf, offersWebSocket } from '../request/fetch-metadata.js'
import type { Target } from '../request/target.js'
import { compilePathAccess } from './path-access.js'

/** Whether a path is only observed. In doubt it is not: one reading of it under observe.enforce suffices. */
export function compileObserves({ mode, observe }: Pick<Config, 'mode' | 'observe'>): (target: Target) => boolean {
  if (mode !== 'observe') return () => false
  const { rulesFor } = compilePathAccess(observe.enforce.map(match => ({ match })))
  return target => rulesFor('', target).length === 0
}

const stopReasons: Partial<Record<string, StopReason>> = {
  challenge: 'no_session',
  forbidden: 'forbidden',
  step_up: 'step_up',
  wrong_origin: 'wrong_origin',
  store_unavailable: 'store_unavailable',
}

/** Why the verdict would have stopped the request; undefined: it is no decision on access, and stands in every mode. */
export function stopOf(verdict: Exclude<AccessVerdict, { kind: 'pass' }>): RequestContext['observed'] {
  if (verdict.kind === 'refuse bearer') return { why: 'bearer_refused', reason: verdict.reason }
  const why = stopReasons[verdict.code]
  return why && { why }
}

/** What the report keeps of a request that goes to Desk although it would have been stopped. */
export function describeObserved(request: IncomingMessage, context: RequestContext, guard: Guard): ObservedRequest {
  const { observed = { why: 'no_session' }, session, api, target, address } = context
  const { method = '', headers } = request
  const who = session ?? api
  const missing = who === undefined ? [] : guard.explain(who, method, context).filter(rule => rule.missing.length > 0)
  const rules = missing.map(rule => `${rule.match}: ${rule.missing.join(', ')}`)
  const detail = observed.reason ?? (rules.length === 0 ? undefined : rules.join('; '))
  const isStream = /\btext\/event-stream\b/i.test(headers.accept ?? '')
  return {
    method,
    path: target.path,
    client: offersWebSocket(request) ? 'websocket' : isStream ? 'event_stream' : clientKindOf(headers),
    why: observed.why,
    ...(detail === undefined ? {} : { detail }),
    agent: who?.agent.email,
    address,
  }
}

export interface LiveObserved {
  /** `close` is called when the request would no longer pass. Returns a function that stops watching. */
  watch(request: IncomingMessage, context: RequestContext, close: (reason: 'changed') => void): () => void
  /** Checks all of them against the rules in force. */
  recheckAll(): void
}

/** Live connections without identity that passed because they were observed: no session and no token ends them. */
export function createLiveObserved(current: () => Pick<ConfigSnapshot, 'pipeline'>): LiveObserved {
  interface Entry {
    request: IncomingMessage
    context: RequestContext
    close: (reason: 'changed') => void
  }
  const all = new Set<Entry>()
  const mayStay = ({ request, context: { target, observed } }: Entry) => {
    const { guard } = current().pipeline
    if (guard.observes(target)) return true
    return observed?.why !== 'wrong_origin' && guard.classify(target, request.method ?? '') === 'public'
  }
  const recheck = (entry: Entry) => {
    if (!mayStay(entry) && all.delete(entry)) entry.close('changed')
  }

  return {
    watch(request, context, close) {
      const entry = { request, context, close }
      all.add(entry)
      // A reload after the guard was asked has not checked this entry.
      queueMicrotask(() => {
        if (all.has(entry)) recheck(entry)
      })
      return () => void all.delete(entry)
    },
    recheckAll() {
      for (const entry of [...all]) recheck(entry)
    },
  }
}
