// A gateway with its session desk on, before a Desk whose pages do what a test tells them.

import type { BrowserContext } from 'playwright-core'
import { longSecret, settings } from './configuration.js'
import { type Desk, startDesk } from './desk.js'
import { type InProcessGateway, type InProcessOptions, startInProcessGateway } from './gateway.js'
import { freePort } from './ports.js'
import { signed } from './tokens.js'
import { createUserAgent, type UserAgent } from './user-agent.js'

export const operator = 'lead@example.com'

export interface SessionDesk {
  url: string
  desk: Desk
  gateway: InProcessGateway
  /** Gives its agents other roles. */
  reload(agents: string): Promise<unknown>
  /** Turns it on where it was off. */
  turnOn(): Promise<unknown>
  /** A new session. */
  logIn(email?: string): Promise<UserAgent>
  /** A login that is refused: its reference. */
  refuse(): Promise<string>
  /** A session in a real browser. */
  enter(context: BrowserContext, email?: string): Promise<void>
  close(): Promise<void>
}

export const people = `
- { email: lead@example.com, roles: [lead] }
- { email: zoe@example.com, name: Zoe, roles: [agent] }
- { email: max@example.com, roles: [agent] }
`

export async function startSessionDesk(
  changes: Record<string, unknown> = {},
  { at, ...options }: InProcessOptions & { at?: string } = {},
): Promise<SessionDesk> {
  const desk = await startDesk()
  const port = await freePort()
  const url = at ?? `http://127.0.0.1:${port}`
  const all = {
    ...settings({ agents: [{ file: 'agents.yaml' }] }),
    publicUrl: url,
    listen: `127.0.0.1:${port}`,
    desk: { url: desk.url },
    admin: { roles: ['lead'] },
    ...changes,
  }
  const gateway = await startInProcessGateway(all, { ...options, files: { 'agents.yaml': people } })
  const now = () => (options.clock?.now() ?? Date.now()) / 1000
  const key = new TextEncoder().encode(longSecret('portal'))
  let count = 0
  const logIn = async (email = operator) => {
    const agent = createUserAgent(url, { port: gateway.port })
    const claims = { email, iat: Math.floor(now()), jti: `jti-${process.pid}-${port}-${count++}` }
    const answer = await agent.postCrossSite('/auth/jwt', { jwt: await signed(claims, { key }) })
    if (answer.status !== 303) throw new Error(`no login: ${answer.status} ${answer.reason}`)
    return agent
  }
  return {
    ...{ url, desk, gateway, logIn },
    reload: agents => gateway.reload(all, { 'agents.yaml': agents }),
    async refuse() {
      const agent = createUserAgent(url, { port: gateway.port })
      const { reference } = await agent.postCrossSite('/auth/jwt', { jwt: 'no token' })
      if (reference === undefined) throw new Error('no reference')
      return reference
    },
    turnOn: () => gateway.reload({ ...all, admin: { roles: ['lead'] } }),
    async enter(context, email) {
      const { cookies } = await logIn(email)
      const session = cookies.filter(({ path }) => path === '/')
      await context.addCookies(session.map(({ name, value }) => ({ name, value, url })))
    },
    async close() {
      await gateway.close()
      await desk.close()
    },
  }
}
