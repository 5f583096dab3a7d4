// Records of single logout messages. A refused one: a report under a reference, one log line, one audit event and a page.
// An accepted one: an audit event. Never shows what was checked, only which check failed.

import type { FastifyRequest } from 'fastify'
import type { Check } from '../../core/checks.js'
import { hintOf, type Reason, statusOf } from '../../core/reasons.js'
import type { Audit } from '../../ops/audit.js'
import type { Log } from '../../ops/log.js'
import type { RefusedLogins } from '../../ops/refused-logins.js'
import type { ResponseData } from '../context.js'
import { refusedPage } from '../pages/pages.js'
import { clientInfoOf, clientKindOf } from '../request/fetch-metadata.js'
import { requestIds, traceIdOf } from '../request/trace-context.js'
import { retryAfter } from '../responses/errors.js'
import { ownPage, pageContextOf, problemResponse } from '../responses/page-responses.js'

export interface RefusedLogout {
  reason: Reason
  /** The ID of a configured provider; undefined when none was found. */
  provider: string | undefined
  checks: Check[]
}

export interface SloRecords {
  /** A request that is invalid or could not be carried out; the response for the browser. */
  refuse(request: FastifyRequest, refused: RefusedLogout): ResponseData
  /** A request that was carried out; `ended`: how many sessions. Only what ended a session is a logout. */
  accepted(request: FastifyRequest, provider: string, ended: number): void
  /** A provider's response to our logout request; `refused` when it is invalid or reports a failure. */
  responseReceived(request: FastifyRequest, refused: RefusedLogout | undefined): void
}

const hints: { readonly [reason in Reason]?: string } = {
  'saml.destination_mismatch':
    "The Destination is not this gateway's single logout URL. Set it at the identity provider, or publicUrl.",
  'saml.signature_missing':
    'The logout request is not signed. Switch on the signing of logout requests at the identity provider.',
  'saml.replayed': 'This logout request has been used before. Log out again.',
  'saml.malformed':
    'The message is not a valid SAML 2.0 logout request, has a DOCTYPE or a comment, or exceeds a limit (size, elements). The failed check names the fault.',
  'saml.decryption_failed':
    'The NameID of the logout request is encrypted, and providers[].key cannot decrypt it. Encrypt it for providers[].certificate, or switch its encryption off.',
}

export function createSloRecords(deps: { refusedLogins: RefusedLogins; audit: Audit; log: Log }): SloRecords {
  const { refusedLogins, audit, log } = deps
  return {
    refuse(request, { reason, provider, checks }) {
      const { context, headers } = request
      const origin = clientInfoOf(context, headers)
      const hint = hints[reason] ?? hintOf(reason)
      const reference = refusedLogins.record({ provider, reason, checks, ...origin, of: 'logout', hint })
      const facts = { reason, reference, ...(provider === undefined ? {} : { provider }), address: context.address }
      log.info({ ...facts, ...requestIds(context), hint }, 'logout refused')
      audit({ event: 'logout_refused', ...facts, browser: origin.browser, ...requestIds(context) })
      return refusedResponse(request, reason, reference)
    },
    accepted({ context }, provider, ended) {
      if (ended === 0) {
        const hint =
          'NameID and SessionIndex have to be the same as at the login. Compare both at the identity provider.'
        log.info({ provider, ...requestIds(context), hint }, 'logout request ended no session')
        return
      }
      const why = 'requested by the identity provider'
      audit({ event: 'logout', provider, why, address: context.address, ...requestIds(context) })
    },
    responseReceived({ context }, refused) {
      const failed = refused?.checks.find(({ ok }) => !ok)?.name
      const facts = refused && { reason: refused.reason, provider: refused.provider, check: failed }
      log.info({ ...facts, ...requestIds(context) }, 'logout response received from identity provider')
    },
  }
}

function refusedResponse({ context, headers }: FastifyRequest, reason: Reason, reference: string): ResponseData {
  const status = statusOf(reason)
  const page = pageContextOf(context)
  const words = page.texts.logoutRefused
  const button = { label: page.texts.buttons.logout, to: { get: context.snapshot.paths.logout } }
  const response =
    clientKindOf(headers) === 'program'
      ? problemResponse(status, { title: words.title, detail: words.text, reason, reference, ...traceIdOf(context) })
      : ownPage(context, refusedPage(page, { reason, reference, button, words }), status)
  if (status === 503) response.headers.push('Retry-After', String(retryAfter))
  return response
}
