// Runs a hand-over from a file through the same providers and the same directory as a real one, without a browser, a
// store or a session. Nothing that it finds is kept.

import type { Config } from '../../config/schema/index.js'
import { type Check, climb } from '../../core/checks.js'
import type { Clock, Directory, Handover, Provider, Verdict } from '../../core/contracts.js'
import type { Reason } from '../../core/reasons.js'
import { lookUp } from '../../directory/checks.js'
import { openDirectory } from '../../directory/create.js'
import { agentOf } from '../../directory/merge-identity.js'
import { createLog } from '../../ops/log.js'
import { createMetrics } from '../../ops/metrics.js'
import { samlTime } from '../../providers/saml/datetime.js'
import { verifySaml } from '../../providers/saml/signature/verify.js'
import { acceptJwt, acceptSaml, type Unclaimed } from '../../providers/select.js'
import { systemClock, systemRandom } from '../../runtime/clock.js'
import { createFetch } from '../../runtime/http-client.js'
import { gatewayProviders } from '../../server/snapshot.js'
import { checkAllowed } from '../../web/access/authorize-agent.js'
import { readMessageFile } from './message-file.js'

export interface Rehearsed {
  provider: string | undefined
  /** Milliseconds since the epoch. */
  at: number
  /** The size of the file. */
  bytes: number
  /** When a SAML response says that it was issued. Untrusted; milliseconds since the epoch. */
  issuedAt?: number
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
  const { message, bytes, issued } = await readMessageFile(login.file, login.kind)
  const log = createLog({ level: 'silent' })
  const fetchText = createFetch()
  const parts = { clock, random: systemRandom, fetchText, log, metrics: createMetrics() }
  // One message, and nothing beside it that could be held up.
  const all = gatewayProviders(config, { ...parts, verifySaml })
  const directory: Directory = openDirectory(config.agents, parts)
  const providers = all.filter(({ id }) => login.provider === undefined || id === login.provider)
  try {
    await Promise.all(providers.map(provider => provider.ready?.()))
    const verdict = await judge(
      login.kind,
      message,
      providers.map(provider => asIfBegun(provider, at)),
    )
    const issuedAt = samlTime(issued)
    const found = { at, bytes, provider: verdict.provider, ...(issuedAt === undefined ? {} : { issuedAt }) }
    await directory.ready?.()
    return { ...found, ...(await withDirectory(config, verdict, directory)) }
  } finally {
    directory.close?.()
    for (const provider of all) provider.close()
    await fetchText.close()
  }
}

async function judge(kind: Rehearsal['kind'], message: string, providers: Provider[]): Promise<Verdict | Unclaimed> {
  const handover: Handover = { message, attempt: () => undefined }
  const asked = providers.some(({ type }) => type === kind)
  const none = { name: 'provider', ok: false, expected: `a provider of type ${kind}`, setting: 'providers' }
  const reason = kind === 'saml' ? 'saml.issuer_unknown' : 'jwt.issuer_mismatch'
  if (!asked) return { provider: undefined, reason, checks: [none] }
  if (kind === 'saml') return acceptSaml(handover, providers)
  return (await acceptJwt(handover, {}, providers)) ?? { provider: undefined, reason, checks: [none] }
}

/** There is no browser to hold a cookie: the login that the message names is taken as begun just now, with this provider. */
function asIfBegun(provider: Provider, at: number): Provider {
  const attempt = (id: string) => ({ id, provider: provider.id, returnTo: '/', startedAt: at, used: false })
  return { ...provider, accept: handover => provider.accept({ ...handover, attempt }) }
}

async function withDirectory(
  config: Config,
  verdict: Verdict | Unclaimed,
  directory: Directory,
): Promise<Pick<Rehearsed, 'checks' | 'reason' | 'accepted'>> {
  const { checks, reason } = verdict
  const identity = verdict.provider === undefined ? undefined : verdict.identity
  if (!identity) return { checks, ...(reason ? { reason } : {}) }
  const climbed = await climb(async step => {
    const agent = agentOf(await lookUp(step, directory, identity.email), identity)
    checkAllowed(step, config, identity.provider, agent)
  })
  const all = [...checks, ...climbed.checks]
  return 'reason' in climbed ? { checks: all, reason: climbed.reason } : { checks: all, accepted: identity.email }
}
