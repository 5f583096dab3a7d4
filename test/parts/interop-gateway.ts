// A gateway in this process with one SAML provider and a Desk that records: for logins by identity providers that are not
// ours, from the first request to what Desk receives.

import { type Desk, startDesk } from './desk.js'
import { type InProcessGateway, type InProcessOptions, startInProcessGateway } from './gateway.js'
import { createUserAgent, type Page, type UserAgent } from './user-agent.js'
import { until } from './wait-until.js'

export const publicUrl = 'https://desk.example.com'
export const acsPath = '/auth/saml/acs'
export const entityId = 'desk.example.com'
const loginPath = '/auth/login/corp'

export interface InteropGateway {
  gateway: InProcessGateway
  desk: Desk
  newAgent(): UserAgent
  /** What `deskgate metadata` prints, fetched as an identity provider does. */
  spMetadata(): Promise<string>
  close(): Promise<void>
}

export interface InteropOptions extends InProcessOptions {
  files?: Record<string, string>
  /** Switches the ops API on. */
  adminToken?: string
}

/** `provider` has what is not the same for all of them; its id is corp. */
export async function startInteropGateway(
  provider: Record<string, unknown>,
  options: InteropOptions = {},
): Promise<InteropGateway> {
  const desk = await startDesk()
  const attributes = { email: 'NameID', name: 'displayName', roles: 'groups' }
  const corp = { id: 'corp', type: 'saml', name: 'Aloha Adventures', attributes, ...provider }
  const ops = options.adminToken === undefined ? {} : { ops: { adminToken: options.adminToken } }
  const settings = {
    publicUrl,
    desk: { url: desk.url },
    providers: [corp],
    agents: [{ domains: ['example.com'] }],
    ...ops,
  }
  const gateway = await startInProcessGateway(settings, options)
  const newAgent = () => createUserAgent(publicUrl, { port: gateway.port })
  // The gateway is up before it has read the metadata.
  await until(async () => (await newAgent().visit(loginPath)).status === 302)
  return {
    gateway,
    desk,
    newAgent,
    spMetadata: async () => (await newAgent().fetch('/auth/saml/metadata')).body,
    async close() {
      await gateway.close()
      await desk.close()
    },
  }
}

/** Begins a login; the address that the browser is sent to. */
export async function beginLogin(agent: UserAgent, returnTo = '/'): Promise<string> {
  const page = await agent.visit(`${loginPath}?return_to=${encodeURIComponent(returnTo)}`)
  if (page.status !== 302) throw new Error(`the login did not begin: ${page.status} ${page.reason ?? page.body}`)
  return page.location
}

/** What Desk receives with the agent's next page. */
export async function requestAtDesk(
  behind: InteropGateway,
  agent: UserAgent,
  path: string,
): Promise<Record<string, string>> {
  const before = behind.desk.seen.length
  const page = await agent.visit(path)
  if (behind.desk.seen.length === before) return { nothing: `${page.status} ${page.location}` }
  const { url, folded } = behind.desk.last()
  const one = (name: string) => folded(name).join(' AND ')
  return {
    url,
    email: one('x-agent-email'),
    name: one('x-agent-name'),
    roles: one('x-agent-roles'),
    provider: one('x-agent-provider'),
  }
}

/** How a login ended, in short. */
export function loginOutcome({ status, location, reason }: Page): string {
  return reason === undefined ? `${status} ${location}` : `${status} ${reason}`
}
