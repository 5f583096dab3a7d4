// A posted form (WHATWG URL 5.1), or a query. Never picks one of two values: a field that is there twice has none. Of a body
// what is beyond the bytes that a path needs is counted and not kept, and all that is kept of unfinished forms is bounded
// together. Never holds a client's buffers: many small pieces of one cost far more than they contain.

import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Config } from '../../config/schema/index.js'
import { networkOf } from '../../ops/rate-limit.js'
import type { BodyBudget } from './body-budget.js'
import { readOn, stopReading } from './request-body.js'

export interface Form {
  /** How many bytes it was posted in. */
  bytes: number
  /** The value of a field that is there exactly once; undefined otherwise. */
  one(name: string): string | undefined
  repeated(names: readonly string[]): string[]
  /** The name of every field, once. */
  names(): string[]
}

/** Values are decoded when they are asked for. */
export function readForm(text: string, bytes = Buffer.byteLength(text)): Form {
  const fields = new Map<string, string[]>()
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : pair.slice(equals + 1)
    const known = fields.get(name)
    if (known) known.push(value)
    else fields.set(name, [value])
  }
  return {
    bytes,
    one(name) {
      const [value, ...more] = fields.get(name) ?? []
      return value === undefined || more.length > 0 ? undefined : decode(value)
    },
    repeated: names => names.filter(name => (fields.get(name)?.length ?? 0) > 1),
    names: () => [...fields.keys()],
  }
}

/** The form of a request whose body may be none at all. */
export function formOf(request: { body: unknown }): Form {
  return (request.body as Form | undefined) ?? readForm('')
}

/**
 * Several times as fast as URLSearchParams, which reads what is not a valid escape. The three escapes of base64 first: a
 * large message has thousands of them. What they stand for is part of no other escape.
 */
function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  const spaced = text.replaceAll('+', ' ')
  const base64 = spaced.replaceAll('%2B', '+').replaceAll('%2F', '/').replaceAll('%3D', '=')
  if (!base64.includes('%')) return base64
  try {
    return decodeURIComponent(spaced)
  } catch {
    return new URLSearchParams(`v=${text}`).get('v') ?? ''
  }
}

/** In bytes, of the body as sent. */
export interface BodyLimits {
  /** A longer form is not kept; what it says of itself is its length. */
  keep: number
  /** A longer form is not read to its end. At least `keep`; a browser shows no page when it is cut off while it sends. */
  read: number
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How much of a form the route reads; default 16 kB. */
    form?: (snapshot: { config: Pick<Config, 'limits'> }) => BodyLimits
  }
}

/** `FORM_TOO_LARGE`: longer than the route reads. `FORM_GAVE_WAY`: there was no memory for it. `FORM_CUT`: its client left. */
export type FormErrorCode = 'FORM_TOO_LARGE' | 'FORM_GAVE_WAY' | 'FORM_CUT'

export class FormError extends Error {
  override name = 'FormError'
  constructor(readonly code: FormErrorCode) {
    super(code)
  }
}

/** The gateway's own forms hold a handle at most. */
const smallForm: BodyLimits = { keep: 16 * 1024, read: 16 * 1024 }
const firstBytes = 16 * 1024
/** Forms that are too long are read to their end so many at a time, as nothing comes of it; the others wait in the kernel. */
const longFormsAtOnce = 8

/** Makes forms, and no other content type, the body of this instance's requests. Of a form that is too long, its length. */
export function acceptForms(app: FastifyInstance, budget: BodyBudget): void {
  accept(app, budget, 'application/x-www-form-urlencoded', ({ text = '', bytes }) => readForm(text, bytes))
}

/** Makes JSON, and no other content type, the body: its text, which is not parsed yet. */
export function acceptJson(app: FastifyInstance, budget: BodyBudget): void {
  accept(app, budget, 'application/json', ({ text = '' }) => text)
}

function accept(app: FastifyInstance, budget: BodyBudget, type: string, read: (body: Body) => unknown): void {
  const beginTurn = createTurns()
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(type, async (request: FastifyRequest, body: IncomingMessage) =>
    read(await readBody(body, { budget, beginTurn }, request)),
  )
}

/** `text`: only of one that was kept. */
interface Body {
  text: string | undefined
  bytes: number
}

function readBody(
  payload: IncomingMessage,
  { budget, beginTurn }: { budget: BodyBudget; beginTurn: BeginTurn },
  request: FastifyRequest,
): Promise<Body> {
  const { snapshot, address } = request.context
  const limits = request.routeOptions.config.form?.(snapshot) ?? smallForm
  const expected = Number(request.headers['content-length'] ?? Number.NaN)
  if (expected > limits.read) return Promise.reject(new FormError('FORM_TOO_LARGE'))
  return new Promise((resolve, reject) => {
    const held = budget.open(networkOf(address), snapshot.config.limits.bodies, () => fail('FORM_GAVE_WAY'))
    let kept: Buffer | undefined = Buffer.alloc(0)
    let bytes = 0
    let endTurn: (() => void) | undefined
    const over = () => {
      kept = undefined
      held.close()
      endTurn?.()
      payload.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
    }
    const fail = (code: FormErrorCode) => {
      over()
      reject(new FormError(code))
    }
    const onData = (chunk: Buffer) => {
      const from = bytes
      bytes += chunk.length
      if (bytes > limits.read) return fail('FORM_TOO_LARGE')
      if (bytes > limits.keep && kept) {
        kept = undefined
        held.close()
        endTurn = beginTurn(payload)
      }
      if (!kept) return
      if (kept.length < bytes) {
        const size = roomFor(bytes, Math.min(limits.keep, expected || limits.keep))
        if (!held.hold(size)) return fail('FORM_GAVE_WAY')
        kept = grown(kept, from, size)
      }
      chunk.copy(kept, from)
    }
    const onEnd = () => {
      const text = kept?.toString('utf8', 0, bytes)
      over()
      resolve({ text, bytes })
    }
    const onClose = () => fail('FORM_CUT')
    if (expected > limits.keep) {
      kept = undefined
      endTurn = beginTurn(payload)
    }
    payload.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
  })
}

/** Reads no more of the form's connection until it is its turn, if it is not now. Returns what ends the turn. */
type BeginTurn = (form: IncomingMessage) => () => void

/** Attack: the bytes of hundreds of forms that are only counted, all in each turn of the event loop, hold up everybody. */
function createTurns(): BeginTurn {
  const waiting = new Set<IncomingMessage>()
  const running = new Set<IncomingMessage>()
  return form => {
    if (running.size < longFormsAtOnce) running.add(form)
    else {
      waiting.add(form)
      // Not the form: a paused form keeps up to 64 kB that no limit counts.
      stopReading(form.socket)
    }
    return () => {
      if (waiting.delete(form)) return readOn(form.socket)
      if (!running.delete(form)) return
      const [next] = waiting
      if (!next) return
      waiting.delete(next)
      running.add(next)
      readOn(next.socket)
    }
  }
}

/** At least `bytes`, doubled so that a long form is seldom copied, and never more than it can become. */
function roomFor(bytes: number, most: number): number {
  let size = firstBytes
  while (size < bytes) size *= 2
  return Math.max(bytes, Math.min(size, most))
}

function grown(buffer: Buffer, used: number, size: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(size)
  buffer.copy(larger, 0, 0, used)
  return larger
}
