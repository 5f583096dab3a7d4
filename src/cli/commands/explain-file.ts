// Checks a SAML response or a token from a file with the providers and the directory of the configuration, but without a
// browser, a store or a session. It keeps nothing.

import { readFile } from 'node:fs/promises'
import type { Config } from '../../config/schema/index.js'
import { type Check, runChecks } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import type { Directory } from '../../core/directory.js'
import type { CallbackRequest, Provider, Verdict } from '../../core/providers.js'
import type { Reason } from '../../core/reasons.js'
import { checkAgentInDirectory, mergeIdentity, openDirectory } from '../../directory/directory.js'
import { createLog } from '../../ops/log.js'
import { createMetrics } from '../../ops/metrics.js'
import { protocols } from '../../providers/create.js'
import { samlTime } from '../../providers/saml/datetime.js'
import { verifySaml } from '../../providers/saml/signature/verify.js'
import type { NoProvider } from '../../providers/select.js'
import { systemClock, systemRandom } from '../../runtime/clock.js'
import { createHttpClient } from '../../runtime/http-client.js'
import { gatewayProviders } from '../../server/config-snapshot.js'
import { checkAllowed } from '../../web/access/authorize-agent.js'
import { sizeCheck } from '../../web/routes/callback-form.js'

export interface FileVerdict {
  provider: string | undefined
  /** Milliseconds since the epoch. */
  at: number
  /** The size of the file. */
  bytes: number
  /** The IssueInstant of a SAML response, untrusted; milliseconds since the epoch. */
  issuedAt?: number
  checks: Check[]
  reason?: Reason
  /** The e-mail address, when every check passed. */
  accepted?: string
}

interface MessageFileInput {
  kind: 'saml' | 'jwt'
  file: string
  /** Milliseconds since the epoch; now when undefined. */
  at: number | undefined
  /** Check against this provider only. */
  provider: string | undefined
}

/** Throws when the file cannot be read; a message that cannot be parsed is refused like any other. */
export async function explainMessageFile(config: Config, login: MessageFileInput): Promise<FileVerdict> {
  const at = login.at ?? systemClock.now()
  const clock: Clock = { now: () => at }
  const { message, bytes, issued } = await readMessageFile(login.file, login.kind)
  const log = createLog({ level: 'silent' })
  const fetchText = createHttpClient()
  const parts = { clock, random: systemRandom, fetchText, log, metrics: createMetrics() }
  // In this thread: there is one message, and nothing else to delay.
  const all = gatewayProviders(config, { ...parts, verifySaml })
  const directory: Directory = openDirectory(config.agents, parts)
  const providers = all.filter(({ id }) => login.provider === undefined || id === login.provider)
  try {
    await Promise.all(providers.map(provider => provider.ready?.()))
    const verdict = await acceptMessage(
      login.kind,
      { message, maxBytes: config.limits.callback },
      providers.map(provider => withFreshAttempt(provider, at)),
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

async function acceptMessage(
  kind: MessageFileInput['kind'],
  { message, maxBytes }: { message: string; maxBytes: number },
  providers: Provider[],
): Promise<Verdict | NoProvider> {
  if (message.length > maxBytes) {
    const check = sizeCheck(maxBytes, `${message.length} bytes in the form`)
    return { provider: undefined, reason: protocols[kind].malformed, checks: [check] }
  }
  const callback: CallbackRequest = { message, maxBytes, attempt: () => undefined }
  const asked = providers.some(({ type }) => type === kind)
  const none = { name: 'provider', ok: false, expected: `a provider of type ${kind}`, setting: 'providers' }
  const { unselected: reason, handleCallback } = protocols[kind]
  const verdict = asked ? await handleCallback(callback, providers) : undefined
  return verdict ?? { provider: undefined, reason, checks: [none] }
}

/** No browser holds a cookie here: the login attempt that the message names counts as begun now, with this provider. */
function withFreshAttempt(provider: Provider, at: number): Provider {
  const attempt = (id: string) => ({ id, provider: provider.id, returnTo: '/', startedAt: at, used: false })
  return { ...provider, handleCallback: callback => provider.handleCallback({ ...callback, attempt }) }
}

async function withDirectory(
  config: Config,
  verdict: Verdict | NoProvider,
  directory: Directory,
): Promise<Pick<FileVerdict, 'checks' | 'reason' | 'accepted'>> {
  const { checks, reason } = verdict
  const identity = verdict.provider === undefined ? undefined : verdict.identity
  if (!identity) return { checks, ...(reason ? { reason } : {}) }
  const climbed = await runChecks(async step => {
    const agent = mergeIdentity(await checkAgentInDirectory(step, directory, identity.email), identity)
    checkAllowed(step, config, { ...identity, agent, hint: identity.rolesOmitted })
  })
  const all = [...checks, ...climbed.checks]
  return 'reason' in climbed ? { checks: all, reason: climbed.reason } : { checks: all, accepted: identity.email }
}
interface MessageFile {
  /** As in the form field. */
  message: string
  bytes: number
  /** The IssueInstant of a SAML response, untrusted. */
  issued: string | undefined
}

/**
 * Reads the message however it was saved: XML, base64, compact form, or the form body that the browser posted. Byte for
 * byte, so that everything odd in it reaches the checks. Throws when the file cannot be read.
 */
async function readMessageFile(file: string, kind: 'saml' | 'jwt'): Promise<MessageFile> {
  const bytes = await readFile(file)
  const message = messageIn(bytes, kind)
  const xml = kind === 'saml' ? Buffer.from(message, 'base64').toString('utf8') : ''
  return { message, bytes: bytes.length, issued: /\bIssueInstant=["']([^"']{1,40})["']/.exec(xml)?.[1] }
}

function messageIn(bytes: Buffer, kind: 'saml' | 'jwt'): string {
  const text = bytes.toString('utf8')
  const trimmed = text.trim()
  // A byte order mark is part of the message: trim() takes it for white space.
  if (kind === 'saml' && trimmed.startsWith('<')) return bytes.toString('base64')
  const form = new URLSearchParams(trimmed)
  const field = protocols[kind].messageFields.map(name => form.get(name)).find(Boolean)
  return field || trimmed
}
