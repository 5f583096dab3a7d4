// `deskgate breakglass`: asks a running gateway for a one-time link. It prints the link alone on stdout, and the facts about
// it on stderr. The link is like a password: nothing else repeats it.

import { hostname, userInfo } from 'node:os'
import { canonicalEmail } from '../../core/email.js'
import { type BreakglassAnswer, leastMinutes, mostMinutes } from '../../ops/api/breakglass.js'
import { type ExitCode, type Io, usageError } from '../io.js'
import { type OpsAccess, opsAccess, send, whyUnauthorized, wordsOf } from '../ops-client.js'

interface BreakglassOptions {
  config?: string
  ops?: string
  agent: string
  minutes: string
  reason: string
}

/** `options.minutes` as typed; anything but a whole number within the bounds is a usage error. */
export async function breakglass(options: BreakglassOptions, io: Io): Promise<ExitCode> {
  const minutes = /^\d{1,4}$/.test(options.minutes) ? Number(options.minutes) : Number.NaN
  if (!(minutes >= leastMinutes && minutes <= mostMinutes))
    return usageError(`--minutes takes a whole number from ${leastMinutes} to ${mostMinutes}`, io)
  if (canonicalEmail(options.agent) === undefined)
    return usageError('--agent takes one e-mail address, such as ana@example.com', io)
  if (options.reason.trim() === '') return usageError('--reason must not be empty: it goes into the audit log', io)
  const access = await opsAccess(options, io, 'the API that makes one-time links is off')
  if (!access) return 1
  const { agent, reason } = options
  const answer = await requestLink(access, { agent, minutes, reason, operator: operatorOf(io) })
  if ('refused' in answer) {
    io.err(answer.refused)
    return 1
  }
  if (answer.warning) io.err(`warning: ${answer.warning}`)
  io.err(`valid once, until ${answer.until}; opens a session of at most ${answer.minutes} minutes as ${answer.agent}:`)
  io.out(answer.url)
  return 0
}

/** Throws OpsUnreachable when nothing answers. */
async function requestLink(access: OpsAccess, order: object): Promise<BreakglassAnswer | { refused: string }> {
  const { statusCode, body, headers } = await send(access, '/api/breakglass', 'POST', order)
  const answer = (await body.json().catch(() => undefined)) as Record<string, unknown> | undefined
  if (statusCode === 200 && typeof answer?.url === 'string') return answer as unknown as BreakglassAnswer
  if (statusCode === 401) return { refused: whyUnauthorized(access, headers) }
  if (statusCode === 404)
    return { refused: 'the gateway has no such API: is ops.adminToken set there, and is --ops right?' }
  return { refused: `no link was made: ${wordsOf(answer) || `the gateway answers ${statusCode}`}` }
}

/**
 * Who runs the command, for the audit log: the name that the system has for the user of the process, not a variable that
 * anyone can set. Behind sudo that is root, so that the name sudo gives stands beside it.
 */
function operatorOf({ env }: Io): string {
  const user = systemUser()
  const behind = user === 'root' && env.SUDO_USER ? `${env.SUDO_USER} as root` : user
  return `${behind}@${hostname()}`.replace(/[^ -~]/gu, '?').slice(0, 100)
}

/** In containers a process often runs under a number that no user has. */
function systemUser(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
