// What is told of single logout messages: a refused one has a dossier under a reference, one log line, one audit event and
// a page; an accepted one an audit event. Never tells what was checked, only which check failed.

import type { FastifyRequest } from 'fastify'
import type { Check } from '../../core/checks.js'
import { hintOf, type Reason, statusOf } from '../../core/reasons.js'
import type { Audit } from '../../ops/audit.js'
import type { Log } from '../../ops/log.js'
import type { Dossiers } from '../../ops/refused-logins.js'
import type { Answer } from '../context.js'
import { contentPolicy, pageAnswer, problemAnswer } from '../pages/layout.js'
import { refusedPage } from '../pages/pages.js'
import { askerOf } from '../request/fetch-metadata.js'
import { browserName } from '../request/user-agent.js'
import { formTargetsOf, placeOf, retryAfter } from '../responses/errors.js'

export interface RefusedLogout {
  reason: Reason
  /** The ID of a configured provider; undefined when none was found. */
  provider: string | undefined
  checks: Check[]
}

export interface SloRecords {
  /** A request that is not believed or could not be carried out; what the browser is shown. */
  refuse(request: FastifyRequest, refused: RefusedLogout): Answer
  /** A request that was carried out. */
  accepted(request: FastifyRequest, provider: string): void
  /** A provider's answer to a logout of ours; `refused` when it is not believed, or says that it did not work. */
  answered(request: FastifyRequest, refused: RefusedLogout | undefined): void
}

/** Where the hint of a refused login would lead astray. */
const hints: { readonly [reason in Reason]?: string } = {
  'saml.destination_mismatch':
    "The Destination is not this gateway's single logout URL. Set it at the identity provider, or publicUrl.",
  'saml.signature_missing':
    'The logout request is not signed. Switch on the signing of logout requests at the identity provider.',
  'saml.replayed': 'This logout request has been used before.',
  'saml.malformed':
    'The message is no SAML 2.0 logout request within the limits (size, elements, no DOCTYPE, no comment).',
  'saml.decryption_failed':
    'The NameID of the logout request is encrypted, and providers[].key does not open it. Have it encrypted to our certificate, or not at all.',
}

export function createSloRecords(deps: { dossiers: Dossiers; audit: Audit; log: Log }): SloRecords {
  const { dossiers, audit, log } = deps
  return {
    refuse(request, { reason, provider, checks }) {
      const { visit, headers } = request
      const origin = { address: visit.address, browser: browserName(headers['user-agent']) }
      const hint = hints[reason] ?? hintOf(reason)
      const reference = dossiers.keep({ provider, reason, checks, ...origin, of: 'logout', hint })
      const facts = { reason, reference, ...(provider === undefined ? {} : { provider }), address: visit.address }
      log.info({ ...facts, request: visit.id, hint }, 'logout refused')
      audit({ event: 'logout_refused', ...facts, browser: origin.browser, request: visit.id })
      return answerOf(request, reason, reference)
    },
    accepted({ visit }, provider) {
      const why = 'asked by the identity provider'
      audit({ event: 'logout', provider, why, address: visit.address, request: visit.id })
    },
    answered({ visit }, refused) {
      const failed = refused?.checks.find(({ ok }) => !ok)?.name
      const facts = refused && { reason: refused.reason, provider: refused.provider, check: failed }
      log.info({ ...facts, request: visit.id }, 'an identity provider has answered a logout')
    },
  }
}

function answerOf({ visit, headers }: FastifyRequest, reason: Reason, reference: string): Answer {
  const status = statusOf(reason)
  const place = placeOf(visit.generation)
  const words = place.texts.logoutRefused
  const button = { label: place.texts.buttons.logout, to: { get: visit.generation.paths.logout } }
  const answer =
    askerOf(headers) === 'program'
      ? problemAnswer(status, { title: words.title, detail: words.text, reason, reference })
      : pageAnswer(
          status,
          refusedPage(place, { reason, reference, button, words }),
          contentPolicy(formTargetsOf(visit.generation)),
        )
  if (status === 503) answer.headers.push('Retry-After', String(retryAfter))
  return answer
}
