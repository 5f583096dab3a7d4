// Sends a kept form on to Desk. The browser comes back with a small form that names it (a 307 of our own page); the guard has
// decided on the request as on any other, and then the kept bytes take the place of the small form. Claimed before it is
// sent, so that it is sent at most once, and only for the agent who wrote it.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Handle } from '../../core/sessions.js'
import type { Keyring } from '../../keys/keyring.js'
import type { KeptOutcome, Metrics } from '../../ops/metrics.js'
import type { GatewayErrorCode, RequestContext, Substitute } from '../context.js'
import type { Cookies } from '../request/cookies.js'
import { isFromOurPages } from '../request/fetch-metadata.js'
import { cookieHeader, readCookies } from '../request/read-cookies.js'
import { bodyStream } from '../request/request-body.js'
import { escapeBytes } from '../request/target.js'
import type { KeptForm, KeptForms } from './kept-forms.js'

/** The one field of the small form. */
export const ticketField = 'deskgate_kept'
const start = `${ticketField}=`
/** Of a ticket: 32 bytes, base64url. */
const ticketLength = 43
const smallFormLength = String(start.length + ticketLength)
/** Milliseconds for the small form. */
const patience = 10_000

/** What lets one session send one form. It is worth nothing in another browser, which has not the key. */
export interface FormTickets {
  make(form: string, session: Handle): string
  isValid(ticket: string, form: string, session: Handle): boolean
}

export function createFormTickets(keyring: Pick<Keyring, 'mac' | 'verifies'>): FormTickets {
  const purpose = 'kept form ticket'
  const bound = (form: string, session: Handle) => Buffer.from(`${form}\0${session}`)
  return {
    make: (form, session) => keyring.mac(purpose, bound(form, session)).toString('base64url'),
    isValid: (ticket, form, session) =>
      ticket.length === ticketLength &&
      keyring.verifies(purpose, bound(form, session), Buffer.from(ticket, 'base64url')),
  }
}

/** Whether a request has the shape of the small form. Its bytes are not read yet. */
export function isSmallForm(request: IncomingMessage): boolean {
  // Node builds `headers` when they are first read.
  if (request.method !== 'POST' || request.headers['content-length'] !== smallFormLength) return false
  return request.headers['content-type'] === 'application/x-www-form-urlencoded'
}

export interface SendKept {
  /** Whether a request that the guard has let pass may stand for a kept form. Synchronous, and cheap for all others. */
  applies(request: IncomingMessage): boolean
  /**
   * What goes to Desk in the place of the small form; its own bytes where it turns out to be a form of Desk. Else why nothing
   * does. Rejects with StoreUnavailable.
   */
  take(
    request: IncomingMessage,
    response: ServerResponse,
    context: RequestContext,
  ): Promise<Substitute | GatewayErrorCode>
}

export function createSendKept(deps: {
  forms: KeptForms
  tickets: FormTickets
  cookies: Cookies
  publicUrl: string
  metrics: Pick<Metrics, 'keptForm'>
}): SendKept {
  const { forms, tickets, cookies, publicUrl, metrics } = deps

  return {
    applies: isSmallForm,
    async take(request, response, context) {
      const bytes = await readSmallForm(request, response)
      if (!bytes) return 'too_slow'
      const ticket = ticketIn(bytes)
      if (ticket === undefined) return { rawHeaders: request.rawHeaders, body: Readable.from([bytes]) }
      const { session } = context
      if (!session || !isFromOurPages(request.headers, publicUrl)) return 'wrong_origin'
      const form = await forms.find(readCookies(cookieHeader(request)).single(cookies.kept))
      if (!form || !tickets.isValid(ticket, form.id, session.handle)) return 'kept_gone'
      // Attack: a page of Desk sends the small form to another address, or another agent has logged in meanwhile.
      if (form.head.agent !== session.agent.email || !isSameTarget(form, context)) return 'kept_gone'
      if (!(await form.isWhole())) return 'kept_gone'
      if (!(await form.claim())) return 'kept_claimed'
      return substituteFor(form, request, outcome => metrics.keptForm(outcome))
    },
  }
}

function isSameTarget({ head }: KeptForm, { target }: RequestContext): boolean {
  return target.raw === head.target || target.raw === escapeBytes(head.target)
}

export function ticketIn(bytes: Buffer): string | undefined {
  const text = bytes.toString('latin1')
  return text.startsWith(start) ? text.slice(start.length) : undefined
}

/** Undefined when it does not come whole, within so many milliseconds. */
export async function readSmallForm(
  request: IncomingMessage,
  response: ServerResponse,
  limit = patience,
): Promise<Buffer | undefined> {
  const body = bodyStream(request, response)
  const timer = setTimeout(() => body.destroy(new Error('too slow')), limit).unref()
  try {
    return Buffer.concat(await body.toArray())
  } catch {
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

/** Of the browser's request everything stays but what describes the small form. */
function substituteFor(form: KeptForm, request: IncomingMessage, count: (outcome: KeptOutcome) => void): Substitute {
  const { contentType, bytes, referer } = form.head
  const replaced = new Set([
    'content-type',
    'content-length',
    'transfer-encoding',
    ...(referer === undefined ? [] : ['referer']),
  ])
  const rawHeaders = request.rawHeaders.filter((_, at, all) => !replaced.has((all[at & ~1] as string).toLowerCase()))
  rawHeaders.push('Content-Type', contentType, 'Content-Length', String(bytes))
  if (referer !== undefined) rawHeaders.push('Referer', referer)
  const body = Readable.from(form.read(), { objectMode: false })
  // Desk may answer before it has read everything: nobody listens then, and an error must not end the process.
  body.on('error', () => {})
  let isOver = false
  return {
    rawHeaders,
    body,
    kept: {
      over(how) {
        if (isOver) return
        isOver = true
        body.destroy()
        count(how)
        const tidied = how === 'sent' ? form.remove() : form.unclaim()
        // If the store fails now the form expires, and stays claimed: it is not sent again.
        tidied.catch(() => {})
      },
    },
  }
}
