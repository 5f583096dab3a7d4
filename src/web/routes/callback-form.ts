// What is checked of a callback before a provider is asked: that a page sent it, how long it is, and that each field is there
// once. A request that cannot be a login is not a refused login: anybody's page can make a browser send it.

import type { FastifyRequest } from 'fastify'
import type { Config } from '../../config/schema/index.js'
import type { Check } from '../../core/checks.js'
import { type BodyLimits, type Form, readForm } from '../request/form.js'

/** base64 in a form is up to a tenth longer than itself: '+', '/' and '=' take three bytes. */
const formOverhead = 1.1
/** Longer forms are refused but still read, up to this many times the limit, so that the browser shows the page. */
const readFactor = 4

export function callbackLimits({ config }: { config: Pick<Config, 'limits'> }): BodyLimits {
  const { callback } = config.limits
  return { keep: Math.floor(callback * formOverhead), read: callback * readFactor }
}

/** Whether a browser sends this by navigating a page of its own window, or, with `frames`, one in a frame; or is not a browser. */
export function isNavigation({ headers }: FastifyRequest, frames: 'frames' | 'no frames'): boolean {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = headers
  // Attack: a script on another site posts its own response in the background. Only a page navigation sets cookies.
  if (mode !== undefined && mode !== 'navigate') return false
  return frames === 'frames' || mode === undefined || destination === undefined || destination === 'document'
}

/** The check that failed of a form with these fields; `message`: the one that holds the message. */
export function checkForm(
  form: Form,
  names: readonly string[],
  { message, most }: { message: string | undefined; most: number },
): Check | undefined {
  if (form.bytes > Math.floor(most * formOverhead)) return sizeCheck(most, `a form of ${form.bytes} bytes`)
  if ((message?.length ?? 0) > most) return sizeCheck(most, `${message?.length} bytes`)
  const repeated = form.repeated(names)
  if (repeated.length === 0) return undefined
  return { name: 'form', ok: false, expected: 'each field once', seen: `more than one ${repeated.join(', ')}` }
}

export function sizeCheck(most: number, seen: string): Check {
  return { name: 'size', ok: false, expected: `at most ${most} bytes`, seen, setting: 'limits.callback' }
}

/** For a form without a token: what it has instead. Names only, cut short. */
export function missingTokenCheck(form: Form): Check {
  const names = form.names()
  const shown = names.slice(0, 10).map(name => (name.length > 40 ? `${name.slice(0, 40)}…` : name))
  const more = names.length > shown.length ? `, and ${names.length - shown.length} more` : ''
  const seen = names.length === 0 ? 'a form without fields' : `the fields ${shown.join(', ')}${more}`
  return { name: 'token field', ok: false, expected: 'the token in the field jwt (or token)', seen }
}

/**
 * A form whose missing fields of these names are read from the query: some providers post to the address that they were given,
 * with all its parameters. A field of the form wins.
 */
export function withQuery(form: Form, query: string, names: readonly string[]): Form {
  if (query === '') return form
  const inQuery = readForm(query)
  const fromQuery = names.filter(name => !form.one(name) && form.repeated([name]).length === 0)
  return {
    ...form,
    one: name => (fromQuery.includes(name) ? inQuery.one(name) : form.one(name)),
    repeated: asked => [...form.repeated(asked), ...inQuery.repeated(asked.filter(name => fromQuery.includes(name)))],
  }
}
