// The street of one generation, put together: who asks → guard → headers → Desk. Only wiring.

import type { IncomingMessage } from 'node:http'
import type { Config } from '../../config/schema/index.js'
import type { Handle, Random, Sessions } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import { createGuard } from '../access/authenticate.js'
import { compileAccess } from '../access/path-roles.js'
import type { Bearer, DeskMarks, IdentityWriter, Street, Visit } from '../context.js'
import type { DeskLogout } from '../logout/desk-logout.js'
import { createCallers } from '../request/client-address.js'
import type { Cookies } from '../request/cookies.js'
import type { Paths } from '../request/paths.js'
import { createForwarder, type ForwarderDeps } from './http/forward.js'
import { createAsk } from './request-desk.js'
import { createRequestHeaders } from './request-headers.js'
import { createResponseHeaders, type ResponseHeaders } from './response-headers.js'
import { type Patience, usualPatience } from './timeouts-defaults.js'
import { openDesk } from './upstream.js'
import { createUpgrader } from './websocket/handshake.js'
import { largestFrame } from './websocket/tunnel.js'

export interface StreetDeps {
  config: Pick<Config, 'publicUrl' | 'trustedProxies' | 'desk' | 'sessions' | 'login' | 'access'>
  paths: Paths
  cookies: Cookies
  identity: IdentityWriter
  sessions: Pick<Sessions, 'peek' | 'read' | 'touch'>
  handleOf: (cookie: string) => Handle
  /** Where Desk's own login is a way in. */
  marks?: DeskMarks | undefined
  bearer?: Bearer | undefined
  deskLogout?: DeskLogout | undefined
  longAnswers: ForwarderDeps['longAnswers']
  random: Random
  log: Log
  /** How long the sides of an exchange are waited for, where it is not the usual. */
  patience?: Partial<Patience> | undefined
  /** The most bytes of one frame of a WebSocket, where it is not the usual. */
  largestFrame?: number | undefined
}

export function createStreet(deps: StreetDeps): Street {
  const { config, paths, cookies, identity, sessions, handleOf, longAnswers, random, log, marks } = deps
  const patience = { ...usualPatience, ...deps.patience }
  const deskLogin = config.login.alsoAllowDeskAuthentication
  const { desk, publicUrl, trustedProxies } = config
  const host = new URL(desk.host === 'public' ? publicUrl : desk.url).host
  const requestHeaders = createRequestHeaders({ identity, cookies, publicUrl, host })
  const plainHeaders = createResponseHeaders({ cookies, publicUrl, deskOrigin: desk.url, host })
  const responseHeaders = marking(plainHeaders, marks)
  const connection = openDesk(desk)
  const callers = createCallers({ trustedProxies, random })
  const { deskLogout } = deps
  const { timeout } = desk
  const to = { desk: connection, requestHeaders, responseHeaders }
  const forwarder = createForwarder({ ...to, timeout, patience, longAnswers, deskLogout, log })
  const tunnel = createUpgrader({ ...to, desk, log, largest: deps.largestFrame ?? largestFrame, patience })
  const watch = (request: IncomingMessage, visit: Visit) => {
    const seen = visit.session ? undefined : marks?.watch(request, visit)
    if (seen) visit.deskLogin = seen
  }
  return {
    guard: createGuard({
      paths,
      publicRules: deskLogin ? [...desk.public, ...deskLogin.paths] : desk.public,
      idleRules: config.sessions.idleIgnore,
      mayReach: compileAccess(config.access.paths),
      cookies,
      sessions,
      handleOf,
      bearer: deps.bearer,
    }),
    caller: (request: IncomingMessage) => callers(request),
    send(request, response, visit) {
      watch(request, visit)
      forwarder.send(request, response, visit)
    },
    upgrade(request, socket, head, visit, answered) {
      watch(request, visit)
      tunnel(request, socket, head, visit, answered)
    },
    ask: createAsk({ desk: connection, requestHeaders }),
    async close() {
      await connection.close()
      forwarder.close()
    },
  }
}

/** Desk's answer on its own login takes the marks with it. */
function marking(plain: ResponseHeaders, marks: DeskMarks | undefined): ResponseHeaders {
  if (!marks) return plain
  return (received, visit) => {
    const flat = plain(received, visit)
    for (const line of visit.deskLogin ? marks.setCookies(received, visit.deskLogin) : []) flat.push('Set-Cookie', line)
    return flat
  }
}
