// Talks to the ops API of a running gateway, on the address given or on the one in the configuration. Never shows the token.

import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'undici'
import type { Config } from '../config/schema/index.js'
import type { Readiness } from '../ops/readiness.js'
import { readConfiguration } from './commands/configuration.js'
import type { Io } from './io.js'

/** The gateway cannot be reached, or refuses to answer; the message says what to fix. */
export class OpsUnreachable extends Error {
  override name = 'OpsUnreachable'

  /** `status`: of a gateway that has answered. */
  constructor(
    message: string,
    readonly status?: number,
  ) {
    super(message)
  }
}

/** The commands that ask a running gateway. */
export const opsCommands = ['sessions', 'explain REFERENCE', 'breakglass', 'access', 'observed', 'doctor'] as const

const tokenVariable = '$DESKGATE_ADMIN_TOKEN'

/** The address of the ops API and its admin token. */
export interface OpsAccess {
  base: string
  token: string
}

/**
 * From --ops and $DESKGATE_ADMIN_TOKEN, else from the configuration; undefined after it has printed what is missing.
 * Throws OpsUnreachable when the configuration has no address that can be called.
 */
export async function opsAccess(
  options: { ops?: string; config?: string },
  io: Io,
  off = 'the ops API is off',
): Promise<OpsAccess | undefined> {
  const fromEnvironment = io.env.DESKGATE_ADMIN_TOKEN
  if (options.ops !== undefined && !/^https?:\/\/[^/?#]/i.test(options.ops)) {
    throw new OpsUnreachable('--ops takes the URL of the ops listener, such as http://127.0.0.1:9090')
  }
  if (options.ops && fromEnvironment) return { base: options.ops, token: fromEnvironment }
  // Its warnings are those of the gateway that is asked, which has logged them: they would only hide the answer.
  const config = await readConfiguration(options.config, io, 'problems')
  if (!config) {
    if (options.ops) io.err(`without a configuration, the admin token has to be in ${tokenVariable}`)
    return undefined
  }
  const token = fromEnvironment ?? config.ops.adminToken?.reveal()
  if (token) return { base: options.ops ?? opsUrl(config), token }
  io.err(
    `ops.adminToken is not set: ${off} (set it here and in the configuration of the gateway, or put the token of the gateway into ${tokenVariable})`,
  )
  return undefined
}

export function opsUrl(config: Config): string {
  const { listen } = config.ops
  if (listen.startsWith('unix:')) throw new OpsUnreachable('ops.listen is a socket: give the address with --ops URL')
  return `http://${listen.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')}`
}

/** The time limit of an answer in milliseconds. Ending all sessions of a large store takes a while. */
const answerTimeouts = { GET: 30_000, POST: 30_000, DELETE: 300_000 }

type OpsMethod = keyof typeof answerTimeouts

/**
 * Asks the ops API for JSON; undefined when it answers 404.
 * Throws OpsUnreachable when nothing answers, the token is refused, or the answer is a problem.
 */
export async function askOps(access: OpsAccess, path: string, method: OpsMethod = 'GET') {
  const answer = await answerOf(access, path, method)
  return answer?.json().catch(() => undefined)
}

/** The same for an answer of many lines, each of which is JSON: one after the other, as they come. */
export async function* askOpsLines(access: OpsAccess, path: string): AsyncGenerator<unknown> {
  const answer = await answerOf(access, path, 'GET')
  if (!answer) return
  answer.setEncoding('utf8')
  let rest = ''
  for await (const chunk of answer) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield JSON.parse(line)
  }
  if (rest !== '') throw new OpsUnreachable('the response of the gateway is incomplete')
}

/** What /ready says, of a gateway that should get no traffic too. Throws OpsUnreachable when nothing answers. */
export async function askReadiness(access: OpsAccess): Promise<Partial<Readiness>> {
  const { body } = await send(access, '/ready', 'GET')
  return (await body.json().catch(() => ({}))) as Partial<Readiness>
}

/** `body`: sent as JSON. Throws OpsUnreachable when nothing answers. */
export async function send({ base, token }: OpsAccess, path: string, method: OpsMethod, body?: object) {
  const url = new URL(path, base)
  const timeouts = { headersTimeout: answerTimeouts[method], bodyTimeout: answerTimeouts[method] }
  const json = body ? { 'content-type': 'application/json' } : {}
  const headers = { authorization: `Bearer ${token}`, ...json }
  return request(url, { method, headers, body: body ? JSON.stringify(body) : null, ...timeouts }).catch(
    (error: Error & { code?: string }) => {
      throw new OpsUnreachable(
        `no gateway answers at ${url.origin} (${error.code ?? error.name}): is it running, and is --ops right?`,
      )
    },
  )
}

/** What a 401 means: the ops API refuses the token as RFC 6750 says; the public listener and Desk answer otherwise. */
export function whyUnauthorized({ base }: Pick<OpsAccess, 'base'>, headers: IncomingHttpHeaders): string {
  const { 'www-authenticate': scheme, 'content-type': type } = headers
  return scheme === 'Bearer' && type?.startsWith('application/problem+json')
    ? 'the gateway refuses the admin token: compare it with ops.adminToken of the running gateway'
    : `what answers at ${new URL(base).origin} is not the ops API: give the address of ops.listen with --ops`
}

async function answerOf(access: OpsAccess, path: string, method: OpsMethod) {
  const answer = await send(access, path, method)
  if (answer.statusCode === 404) {
    await answer.body.dump()
    return undefined
  }
  if (answer.statusCode === 401) {
    await answer.body.dump()
    throw new OpsUnreachable(whyUnauthorized(access, answer.headers))
  }
  if (answer.statusCode === 200 || answer.statusCode === 201) return answer.body
  const { statusCode } = answer
  throw new OpsUnreachable(refusal(statusCode, await answer.body.json().catch(() => undefined)), statusCode)
}

function refusal(status: number, body: unknown): string {
  const words = wordsOf(body)
  return `the gateway answers ${status}${words === '' ? '' : `: ${words}`}`
}

/** The text of a problem (RFC 9457); at a mistyped address anything may answer. */
export function wordsOf(body: unknown): string {
  const { title, detail } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  return [title, detail].filter(word => typeof word === 'string').join(': ')
}
