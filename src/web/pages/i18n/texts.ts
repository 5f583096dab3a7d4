// The shape of a language: every key of English, and in every text the same {values}.

import type { Reason } from '../../../core/reasons.js'
import type { en } from './en.js'

/** The {values} of a text. */
type NamesIn<Text> = Text extends `${string}{${infer Name}}${infer Rest}` ? Name | NamesIn<Rest> : never
type AllNames<Group> = Group extends string
  ? NamesIn<Group>
  : { [Key in keyof Group]: AllNames<Group[Key]> }[keyof Group]
type Holding<Name> = (Name extends string ? (text: `${string}{${Name}}${string}`) => void : never) extends (
  text: infer All,
) => void
  ? All
  : never
type Translated<Group> = {
  readonly [Key in keyof Group]: Group[Key] extends string
    ? [NamesIn<Group[Key]>] extends [never]
      ? string
      : Holding<NamesIn<Group[Key]>>
    : Translated<Group[Key]>
}

/** The built-in languages, in the order of the switch. */
export const languageTags: readonly string[] = ['en', 'de', 'fr', 'es', 'ar']

/** One language. */
export type Texts = Translated<typeof en>

/** The {values} that a text needs. */
export type ValueNames<Text extends string> = {
  [Name in AllNames<typeof en>]: Text extends `${string}{${Name}}${string}` ? Name : never
}[AllNames<typeof en>]

/** A title and what to do. */
export interface NoticeText {
  title: string
  text: string
}

/** Which text a refused login gets. */
export const refusalOf: Record<Reason, keyof Texts['refusals']> = {
  'jwt.malformed': 'broken',
  'jwt.algorithm_not_allowed': 'setUpWrong',
  'jwt.signature_invalid': 'setUpWrong',
  'jwt.keys_unavailable': 'unavailable',
  'jwt.claim_missing': 'setUpWrong',
  'jwt.claim_invalid': 'setUpWrong',
  'jwt.expired': 'tooLate',
  'jwt.not_yet_valid': 'tooEarly',
  'jwt.too_old': 'tooLate',
  'jwt.from_the_future': 'tooEarly',
  'jwt.issuer_mismatch': 'setUpWrong',
  'jwt.audience_mismatch': 'setUpWrong',
  'jwt.replayed': 'usedUp',
  'jwt.state_mismatch': 'unbound',
  'jwt.context_mismatch': 'otherMethod',
  'jwt.authentication_too_old': 'tooOld',
  'saml.malformed': 'broken',
  'saml.status_not_success': 'refusedThere',
  'saml.algorithm_not_allowed': 'setUpWrong',
  'saml.signature_missing': 'setUpWrong',
  'saml.signature_invalid': 'setUpWrong',
  'saml.issuer_unknown': 'setUpWrong',
  'saml.audience_mismatch': 'setUpWrong',
  'saml.recipient_mismatch': 'setUpWrong',
  'saml.destination_mismatch': 'setUpWrong',
  'saml.confirmation_invalid': 'broken',
  'saml.expired': 'tooLate',
  'saml.not_yet_valid': 'tooEarly',
  'saml.in_response_to_unknown': 'unbound',
  'saml.unsolicited': 'startHere',
  'saml.replayed': 'usedUp',
  'saml.decryption_failed': 'setUpWrong',
  'saml.email_missing': 'noAddress',
  'saml.email_invalid': 'noAddress',
  'saml.context_mismatch': 'otherMethod',
  'saml.authentication_too_old': 'tooOld',
  'saml.metadata_unavailable': 'unavailable',
  'agent.unknown': 'agentUnknown',
  'agent.disabled': 'agentDisabled',
  'agent.forbidden': 'agentForbidden',
  'agent.directory_unavailable': 'agentsUnavailable',
  'login.attempt_unknown': 'unbound',
  'login.other_session': 'otherSession',
  'login.step_up_other_agent': 'otherAgent',
  'login.loop': 'loop',
  'login.rate_limited': 'rateLimited',
  'login.link_used': 'linkUsed',
  'login.link_expired': 'linkExpired',
  'login.busy_unavailable': 'busy',
  'session.store_unavailable': 'unavailable',
}
