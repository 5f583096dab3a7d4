// Who may see the session desk, and in which window. Desk's pages are of the same origin and may be hostile, so nothing
// here trusts the origin alone: see docs/adr/0016-the-session-desk.md. Never gives a page that another window can read.

import { hash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '../../core/clock.js'
import { DirectoryUnavailable } from '../../core/errors.js'
import type { Session, Sessions } from '../../core/sessions.js'
import type { Store } from '../../core/store.js'
import type { ConfigSnapshot, RequestContext } from '../context.js'
import type { Sealer } from '../login/attempts.js'
import { isSpeculative } from '../request/fetch-metadata.js'

/**
 * Whether the browser loads a page for a window of its own, that a person or a page of this origin has opened. All of
 * these headers are written by the browser alone (Fetch Metadata 2), and a browser that does not send them is refused.
 */
export function isOwnWindow(headers: IncomingHttpHeaders): boolean {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination, 'sec-fetch-site': site } = headers
  if (mode !== 'navigate' || destination !== 'document' || isSpeculative(headers)) return false
  // Attack: a service worker reads the answer to its navigation preload (Service Workers 3.2.4).
  if (headers['service-worker-navigation-preload'] !== undefined) return false
  return site === 'none' || site === 'same-origin'
}

export type Refusal = 'no session' | 'no role' | 'no directory'

/**
 * The session of an operator, or why there is none. The store and the directory are asked for each request, so that an
 * agent who has lost session or role is out at the next one. Throws StoreUnavailable.
 */
export async function findOperator(
  current: Session | undefined,
  { config, directory }: Pick<ConfigSnapshot, 'config' | 'directory'>,
  sessions: Pick<Sessions, 'verify'>,
): Promise<Session | Refusal> {
  const session = current && (await sessions.verify(current.handle))
  if (!session) return 'no session'
  // Not break-glass, and not Desk's own login: neither is an identity provider.
  if (!config.providers.some(({ id }) => id === session.provider)) return 'no role'
  try {
    const found = await directory.find(session.agent.email)
    // Attack: roles that an identity provider states, or that its settings add, do not count. The directory's only.
    const roles = typeof found === 'string' ? [] : (found.roles ?? [])
    return roles.some(role => config.admin.roles.includes(role)) ? session : 'no role'
  } catch (error) {
    if (error instanceof DirectoryUnavailable) return 'no directory'
    throw error
  }
}

/** Milliseconds: how long a redirect may take, and how long a page may lie open before its buttons stop working. */
const doorTime = 60_000
const actionTime = 15 * 60_000
/** How much the clocks of two replicas may differ. */
const clockMargin = 60_000

export interface Tokens {
  /** For one load of this address by this session. */
  door(session: Session, address: string): string
  /** Whether it is one, and was not used before. Throws StoreUnavailable. */
  opens(door: string, session: Session, address: string): Promise<boolean>
  /** For one change of one thing, by this session. */
  action(session: Session, change: string): string
  permits(token: string, session: Session, change: string): boolean
}

const doorPurpose = 'session desk page'
const actionPurpose = 'session desk action'

export function createTokens(deps: { keyring: Sealer; store: Pick<Store, 'claim'>; clock: Clock }): Tokens {
  const { keyring, store, clock } = deps
  const seal = (purpose: string, bound: string) => keyring.seal(purpose, Buffer.from(String(clock.now())), bound)
  const isFresh = (purpose: string, sealed: string, bound: string, time: number) => {
    const age = clock.now() - Number(keyring.open(purpose, sealed, bound)?.toString() ?? Number.NaN)
    return age < time && age > -clockMargin
  }
  const bound = ({ handle }: Session, what: string) => `${handle} ${what}`
  return {
    door: (session, address) => seal(doorPurpose, bound(session, address)),
    async opens(door, session, address) {
      if (!isFresh(doorPurpose, door, bound(session, address), doorTime)) return false
      // Attack: a page of Desk that goes back in the history would load it a second time, without the redirect.
      return store.claim(`c:door:${hash('sha256', door, 'base64url')}`, doorTime + clockMargin)
    },
    action: (session, change) => seal(actionPurpose, bound(session, change)),
    permits: (token, session, change) => isFresh(actionPurpose, token, bound(session, change), actionTime),
  }
}

/** The address of a request as it was sent, if its path has no other spelling; undefined otherwise. */
export function plainPath({ target }: Pick<RequestContext, 'target'>): string | undefined {
  const [path] = target.raw.split('?', 1)
  // Attack: a service worker of another scope would control another spelling.
  return path === target.path ? path : undefined
}
