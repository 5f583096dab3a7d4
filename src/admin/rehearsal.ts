// Runs a hand-over from a file through the same providers and the same directory as a real one, without a browser, a
// store or a session. Nothing that it finds is kept.

import { readFile } from 'node:fs/promises'
import type { Config } from '../config/schema/index.js'
import { type Check, climb } from '../core/checks.js'
import { systemClock } from '../core/clock.js'
import type { Clock, Directory, Handover, Provider, Verdict } from '../core/contracts.js'
import type { Reason } from '../core/reasons.js'
import { lookUp } from '../directory/look-up.js'
import { openDirectory } from '../directory/open.js'
import { gatewayProviders } from '../gateway.js'
import { createFetch } from '../ops/fetch.js'
import { createLog } from '../ops/log.js'
import { createMetrics } from '../ops/metrics.js'
import { acceptJwt, chooseSaml } from '../providers/choose.js'
import { issuerOf } from '../providers/saml-scan.js'

export interface Rehearsed {
  provider: string | undefined
  /** Milliseconds since the epoch. */
  at: number
  checks: Check[]
  reason?: Reason
  /** The e-mail address, when every check held. */
  accepted?: string
}

export interface Rehearsal {
  kind: 'saml' | 'jwt'
  file: string
  /** Milliseconds since the epoch; now when undefined. */
  at: number | undefined
  /** Only this provider. */
  provider: string | undefined
}

/** Throws when the file cannot be read; a message that is no login is a refusal like any other. */
export async function rehearse(config: Config, login: Rehearsal): Promise<Rehearsed> {
  const at = login.at ?? systemClock.now()
  const clock: Clock = { now: () => at }
  const message = messageIn(await readFile(login.file, 'utf8'), login.kind)
  const log = createLog({ level: 'silent' })
  const fetchText = createFetch()
  const all = gatewayProviders(config, { clock, fetchText, log, metrics: createMetrics() })
  const providers = all.filter(({ id }) => login.provider === undefined || id === login.provider)
  try {
    await Promise.all(providers.map(provider => provider.ready?.()))
    const verdict = await judge(login.kind, message, providers, at)
    return { at, provider: verdict.provider, ...(await withDirectory(verdict, openDirectory(config.agents, { log }))) }
  } finally {
    for (const provider of all) provider.close()
    await fetchText.close()
  }
}

/** A file may hold the message itself, XML that has yet to be encoded, or the whole form as the browser posted it. */
function messageIn(text: string, kind: Rehearsal['kind']): string {
  const trimmed = text.trim()
  const form = new URLSearchParams(trimmed)
  const field = kind === 'saml' ? form.get('SAMLResponse') : (form.get('jwt') ?? form.get('token'))
  if (field) return field
  return kind === 'saml' && trimmed.startsWith('<') ? Buffer.from(trimmed).toString('base64') : trimmed
}

async function judge(kind: Rehearsal['kind'], message: string, providers: Provider[], at: number): Promise<Verdict> {
  const refused = (reason: Reason, name: string, expected: string): Verdict => ({
    provider: 'unknown',
    checks: [{ name, ok: false, expected }],
    reason,
    unsolicited: true,
  })
  if (kind === 'jwt') {
    const [only] = providers.filter(({ type }) => type === 'jwt')
    const handover = withoutBrowser(message, only?.id ?? '', at)
    return (
      (await acceptJwt(handover, {}, providers)) ?? refused('jwt.issuer_mismatch', 'provider', 'a provider of type jwt')
    )
  }
  const provider = chooseSaml(issuerOf(message), undefined, providers)
  if (!provider)
    return refused('saml.issuer_unknown', 'provider', 'a provider of type saml with the issuer of the response')
  return provider.accept(withoutBrowser(message, provider.id, at))
}

/** There is no browser to hold a cookie: every attempt that the message names is taken as begun just now. */
function withoutBrowser(message: string, provider: string, at: number): Handover {
  return { message, attempt: id => ({ id, provider, returnTo: '/', startedAt: at, used: false }) }
}

async function withDirectory(
  verdict: Verdict,
  directory: Directory,
): Promise<Pick<Rehearsed, 'checks' | 'reason' | 'accepted'>> {
  const { identity, checks, reason } = verdict
  if (!identity) return { checks, ...(reason ? { reason } : {}) }
  const climbed = await climb(step => lookUp(step, directory, identity.email))
  const all = [...checks, ...climbed.checks]
  return 'reason' in climbed ? { checks: all, reason: climbed.reason } : { checks: all, accepted: identity.email }
}
