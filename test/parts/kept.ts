// Two replicas with one Redis whose sessions an operator can end, and a browser that sends a form too late: to keep it, to
// log in again, and to send it on.

import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { createTestClock } from './clock.js'
import { startDesk } from './desk.js'
import { type InProcessGateway, startInProcessGateway } from './gateway.js'
import { createIdentityProvider, logIn, type Way } from './identity-provider.js'
import { startRedis } from './redis.js'
import { createUserAgent, type Page, type RequestOptions, type UserAgent } from './user-agent.js'

export const publicUrl = 'https://desk.example.com'
export const adminToken = 'the-admin-token-of-this-test-long-enough'
export const ada = 'ada@example.com'
export const keptCookie = '__Host-deskgate-kept'

export interface KeptChanges {
  keepPost?: Record<string, unknown> | null
  store?: unknown
  settings?: Record<string, unknown>
  sessions?: Record<string, unknown>
  /** Arguments of redis-server. */
  redis?: string[]
}

export async function startKept(t: Test, changes: KeptChanges = {}) {
  const clock = createTestClock(Date.now())
  const idp = createIdentityProvider({ publicUrl, clock })
  const own = changes.redis ? ({ process: 'own', more: changes.redis } as const) : ({ process: 'any' } as const)
  const [desk, redis] = await Promise.all([startDesk(), startRedis(own)])
  const keyPrefix = `${redis.keyPrefix}${randomBytes(4).toString('hex')}:`
  const settings = {
    publicUrl,
    secrets: ['the secret that all replicas share, as long as it has to be'],
    desk: { url: desk.url, public: ['/open/*'] },
    providers: [idp.settings.corp, idp.settings.portal],
    agents: [{ domains: ['example.com'] }],
    login: { ...(changes.keepPost === undefined ? {} : { keepPost: changes.keepPost }) },
    sessions: { ...changes.sessions, store: changes.store ?? { url: redis.url, keyPrefix } },
    ops: { adminToken },
    ...changes.settings,
  }
  const how = { files: { 'idp.crt': idp.certificate }, storeTimeout: 20_000, clock }
  const [one, two] = await Promise.all([startInProcessGateway(settings, how), startInProcessGateway(settings, how)])
  t.teardown(async () => {
    await Promise.all([one.close(), two.close()])
    await Promise.all([desk.close(), redis.stop()])
  })
  return {
    ...{ clock, idp, desk, redis, keyPrefix, settings, one, two },
    agent: () => createUserAgent(publicUrl, one),
    /** Names of the keys of kept forms and notes. */
    async keys(kind = '*') {
      const found = (await redis.command('KEYS', `${keyPrefix}${kind}`)) as string[]
      return found.map(key => key.slice(keyPrefix.length)).sort()
    },
  }
}

export type Kept = Awaited<ReturnType<typeof startKept>>

/** An operator ends every session of an agent. */
export async function revoke(gateway: Pick<InProcessGateway, 'opsUrl'>, email = ada): Promise<void> {
  const headers = { authorization: `Bearer ${adminToken}` }
  const url = `${gateway.opsUrl}/api/sessions?agent=${encodeURIComponent(email)}`
  const answer = await fetch(url, { method: 'DELETE', headers })
  if (answer.status !== 200) throw new Error(`not revoked: ${answer.status} ${await answer.text()}`)
}

/** A browser whose agent was logged in, and is no more. */
export async function endedAgent(kept: Kept, email = ada): Promise<UserAgent> {
  const agent = kept.agent()
  await logIn(agent, kept.idp, { way: 'corp', email })
  await revoke(kept.one, email)
  return agent
}

export const reply = { text: 'a long reply' }

/** A whole login, and the page that it leads to. */
export async function logInAgain(kept: Kept, agent: UserAgent, how: { way?: Way; email?: string } = {}): Promise<Page> {
  const { way = 'corp', email = ada } = how
  const done = await logIn(agent, kept.idp, { way, email, returnTo: '/auth/kept', asked: { at: kept.two } })
  return done.status === 303 ? agent.visit(done.location) : done
}

/** The ticket of the page's form. */
export function ticketOf({ body }: Page): string {
  const ticket = /name="deskgate_kept" value="([\w-]{43})"/.exec(body)?.[1]
  if (ticket === undefined) throw new Error(`no ticket on the page: ${/<h1>.*/.exec(body)?.[0]}`)
  return ticket
}

/** What a browser does for "Send": the 307 and the form that it posts again. */
export async function sendOn(agent: UserAgent, page: Page, asked: RequestOptions = {}): Promise<Page> {
  const fields = { deskgate_kept: ticketOf(page) }
  const redirect = await agent.send('/auth/kept', fields, asked)
  if (redirect.status !== 307) return redirect
  return agent.send(redirect.location, fields, asked)
}

export const titleOf = ({ body }: Page) => /<h1>(.*?)<\/h1>/.exec(body)?.[1]
