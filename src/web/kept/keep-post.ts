// Keeps a form that an agent sends after the session has ended. Nothing is written for anybody else: the form comes from a
// page of our own origin, and its session cookie names a session that has left a note. The agent, and nobody else, can
// send it on after the login (send-kept.ts).

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Config } from '../../config/schema/index.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Handle, Sessions } from '../../core/sessions.js'
import type { Log } from '../../ops/log.js'
import type { KeptOutcome, Metrics } from '../../ops/metrics.js'
import { rehearsalAgent } from '../../providers/rehearsal.js'
import type { AccessVerdict, KeepPost, RequestContext } from '../context.js'
import type { Cookies } from '../request/cookies.js'
import { clientKindOf } from '../request/fetch-metadata.js'
import { cookieHeader, readCookies } from '../request/read-cookies.js'
import { bodyStream, hasBody } from '../request/request-body.js'
import { requestIds } from '../request/trace-context.js'
import { createFileScan, type FileScan, noFile } from './file-scan.js'
import type { FormWriter, KeptForms } from './kept-forms.js'
import { isSmallForm, readSmallForm, ticketIn } from './send-kept.js'

export type KeepPostSettings = NonNullable<Config['login']['keepPost']>

export interface KeepPostDeps {
  settings: KeepPostSettings
  publicUrl: string
  cookies: Cookies
  sessions: Pick<Sessions, 'endedAgent'>
  handleOf: (cookie: string) => Handle
  forms: KeptForms
  /** The agents whose forms are being read in this process: shared by all snapshots. */
  reading: Set<string>
  metrics: Pick<Metrics, 'keptForm'>
  log: Log
  timeouts: Times
}

/** Forms that this process reads at the same time: each holds a piece and its encrypted copy. */
const mostAtOnce = 32
/** A form that is not kept is read to its end up to this many bytes: a browser shows no page while it sends. */
const mostRead = 32 * 1024 * 1024
/** The longest target and Referer that are remembered. */
const longestTarget = 8192
const formTypes = /^(?:application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\s*(?:;|$)/i

/** Milliseconds: between two chunks of a form, and for all of it. */
interface Times {
  keptChunk: number
  keptForm: number
}

/** A form whose agent is known. */
interface LateForm {
  request: IncomingMessage
  response: ServerResponse
  context: RequestContext
  handle: Handle
  agent: string
}

export function createKeepPost(deps: KeepPostDeps): KeepPost {
  const { publicUrl, cookies, sessions, handleOf, forms, reading, settings, metrics, log, timeouts } = deps

  const isLateForm = (verdict: AccessVerdict, request: IncomingMessage) =>
    verdict.kind === 'refuse' && verdict.code === 'challenge' && isOwnForm(request, publicUrl)
  const applies: KeepPost['applies'] = (verdict, request, context) => {
    if (verdict.kind !== 'refuse' || request.method !== 'POST' || context.routeClass !== 'protected') return false
    // Also the small form with which a kept one is sent: it must not be kept in its place.
    if (isSmallForm(request)) return verdict.code === 'challenge' || verdict.code === 'step_up'
    return isLateForm(verdict, request) && hasBody(request)
  }
  const outcomeOf = async (form: Omit<LateForm, 'agent'>): Promise<KeptOutcome | undefined> => {
    const { request, response, context, handle } = form
    const held = await forms.find(readCookies(cookieHeader(request)).single(cookies.kept))
    const small = isSmallForm(request) ? await readSmallForm(request, response, timeouts.keptChunk) : undefined
    // Attack: the rest of it, which comes later, is not the form.
    if (isSmallForm(request) && !small) throw slow
    if (small && ticketIn(small) !== undefined) return held && 'still_kept'
    if (!context.verdict || !isLateForm(context.verdict, request)) return undefined
    const agent = await sessions.endedAgent(handle)
    if (agent === undefined || agent === rehearsalAgent || context.target.raw.length > longestTarget) return undefined
    // The last version of a form counts; what was written to another address must not be lost for it.
    const replaced = held?.head.agent === agent && held.head.target === context.target.raw ? held : undefined
    if (held?.head.agent === agent && !replaced) return 'another_kept'
    if (reading.size >= mostAtOnce || reading.has(agent)) return 'busy'
    reading.add(agent)
    try {
      const body = small ? Readable.from([small]) : bodyStream(request, response)
      const outcome = await readForm(deps, { ...form, agent }, body)
      if (outcome === 'kept') await replaced?.remove()
      return outcome
    } finally {
      reading.delete(agent)
    }
  }

  return {
    applies,
    async keep(request, response, context) {
      const cookie = cookies.readSession(cookieHeader(request))
      try {
        const handle = cookie === undefined ? '' : handleOf(cookie)
        const outcome = await outcomeOf({ request, response, context, handle })
        if (outcome === undefined) return 'done'
        context.keptForm = { ...context.keptForm, outcome }
        metrics.keptForm(outcome)
        log.info({ ...requestIds(context), outcome, limit: settings.size }, 'form sent after the end of its session')
      } catch (error) {
        if (error === slow) return 'too_slow'
        // A store that refuses, or a client that has gone: nothing is kept, and the page says so.
        const outcome = error instanceof StoreUnavailable ? 'full' : 'cut'
        context.keptForm = { outcome }
        metrics.keptForm(outcome)
        log.warn({ ...requestIds(context), outcome, cause: (error as Error).message }, 'form could not be kept')
      }
      return 'done'
    },
  }
}

/** Attack: another site's page sends a form with its own words, for an agent to send on. Only the browser writes these. */
function isOwnForm({ headers }: IncomingMessage, publicUrl: string): boolean {
  const site = headers['sec-fetch-site']
  if (headers.origin !== publicUrl || (site !== undefined && site !== 'same-origin')) return false
  if (clientKindOf(headers) !== 'document' || headers['content-encoding'] !== undefined) return false
  return formTypes.test(headers['content-type'] ?? '')
}

const slow = Symbol('the client has stopped sending')

async function readForm(deps: KeepPostDeps, form: LateForm, body: Readable): Promise<KeptOutcome> {
  const { settings, cookies, forms, timeouts } = deps
  const { request, response, context, agent } = form
  const contentType = request.headers['content-type'] ?? ''
  const scan = settings.files ? noFile : createFileScan(contentType)
  const expected = Number(request.headers['content-length'] ?? settings.size)
  const fits = expected <= settings.size
  let writer: FormWriter | undefined
  const limit = limitTime(body, timeouts)
  let outcome: KeptOutcome = fits ? 'full' : 'too_large'
  if (!scan) outcome = 'unreadable'
  try {
    if (scan && fits) writer = await forms.begin(agent, expected, settings)
    const failed = await copy(body, { writer, scan, size: settings.size, onBytes: limit.extend })
    if (failed || !writer) {
      await writer?.drop()
      return failed ?? outcome
    }
    const { referer } = request.headers
    const known = referer === undefined || referer.length > longestTarget ? {} : { referer }
    await writer.finish({ agent, target: context.target.raw, contentType, ...known })
    // Nobody would get the key.
    if (response.destroyed) throw new Error('the client has gone')
    context.keptForm = { setCookie: cookies.keep(writer.key, settings.for) }
    return 'kept'
  } catch (error) {
    await writer?.drop()
    throw limit.isLate() ? slow : error
  } finally {
    limit.end()
    if (!request.complete) body.destroy()
  }
}

/** Reads on after it has failed, so that the browser shows the page that says why. */
async function copy(
  body: AsyncIterable<Buffer>,
  to: { writer: FormWriter | undefined; scan: FileScan | undefined; size: number; onBytes(): void },
): Promise<KeptOutcome | undefined> {
  const { writer, scan, size, onBytes } = to
  let bytes = 0
  let failed: KeptOutcome | undefined
  for await (const chunk of body) {
    onBytes()
    bytes += chunk.length
    if (bytes > mostRead) break
    if (bytes > size) failed ??= 'too_large'
    if (scan?.(chunk)) failed ??= 'file'
    if (!failed) await writer?.write(chunk)
  }
  return failed
}

/** Attack: a form that never ends holds a place for good. */
function limitTime(body: { destroy(error: Error): unknown }, times: Times) {
  let late = false
  const cut = () => {
    late = true
    body.destroy(new Error('too slow'))
  }
  const whole = setTimeout(cut, times.keptForm).unref()
  const idle = setTimeout(cut, times.keptChunk).unref()
  return {
    extend: () => void idle.refresh(),
    isLate: () => late,
    end() {
      clearTimeout(whole)
      clearTimeout(idle)
    },
  }
}
