// One worker's life: opens what the gateway needs, listens, says that it is ready, takes a new configuration, and on close
// lets requests finish.

import { setTimeout as realPause } from 'node:timers/promises'
import { createSecureContext, type Server as TlsServer } from 'node:tls'
import type { Config } from './config/schema/index.js'
import type { ConfigSource } from './config/source.js'
import { watchFiles } from './config/watch.js'
import type { Clock, Random } from './core/contracts.js'
import { createGateway, type Gateway } from './gateway.js'
import { createOps } from './ops/api.js'
import { type AuditLog, createAuditLog } from './ops/audit.js'
import { createDossiers } from './ops/dossiers.js'
import { createFetch } from './ops/fetch.js'
import type { Log } from './ops/log.js'
import { createMetrics, type Metrics } from './ops/metrics.js'
import { createPressure, type Load } from './ops/pressure.js'
import { createProbes } from './ops/probes.js'
import { createRateLimit } from './ops/rate-limit.js'
import { createReadiness, type ReadinessProbe } from './ops/readiness.js'
import { createBreakglass } from './providers/breakglass.js'
import { createSamlPool, type VerifySaml } from './providers/saml/pool.js'
import { createReloads, type ReloadCause, type ReloadResult } from './reload.js'
import { createKeyring, type Keyring, randomSecret } from './sessions/keyring.js'
import { type KeyringInUse, keyringInUse } from './sessions/keyring-in-use.js'
import { createSessions } from './sessions/sessions.js'
import { openStore } from './store/open.js'
import { listenOn, serverTls } from './web/connections/listener.js'
import { createLoginLimit } from './web/login/login-limit.js'
import { createPaths } from './web/request/paths.js'

export interface Server {
  /** Where it listens, as a URL that a client on this machine can open. */
  url: string
  opsUrl: string
  /** The listener of ops.probes, where there is one. */
  probesUrl: string | undefined
  /**
   * Reads the configuration again and takes it, whole or not at all, without dropping a connection. Never rejects; what
   * came of it is plain data. Without a source nothing changes.
   */
  reload(cause: ReloadCause): Promise<ReloadResult>
  /** Stops accepting, lets requests under way finish, closes what is open. */
  close(ending?: Ending): Promise<void>
}

/** How much time the end may take, in milliseconds. */
export interface Ending {
  /** Not ready, but serving on, so that load balancers notice before connections are refused; 0 when not given. */
  serveOn?: number
  /** For requests under way after that; what is still open then is cut. Without it they may take as long as they like. */
  finish?: number
}

export interface Addresses {
  url: string
  ops: string
  probes?: string
  publicUrl: string
}

/** What a process says of itself on the ops listener. */
export interface Told {
  metrics: Pick<Metrics, 'text' | 'parts'>
  readiness: Pick<ReadinessProbe, 'ask'>
}

export interface ServerDeps {
  clock: Clock
  random: Random
  log: Log
  /** Where a reload reads; without it there are none. Its files are watched. */
  source?: ConfigSource
  /** In the place of the pool of threads, to measure what it brings. */
  verifySaml?: VerifySaml
  /** In the place of what this process measures of itself, for tests. */
  measure?: () => Load
  /** Milliseconds that the store has for a command, where it is not the usual: for a machine that is known to be slow. */
  storeTimeout?: number
  /** Waits so many milliseconds. */
  pause?: (ms: number) => Promise<unknown>
  /** Called once it accepts connections; by default the log says so. */
  announce?: (addresses: Addresses) => void
  /** What the ops listener says where this process is one of several behind the same port. */
  together?: (own: Told) => Pick<Told, 'readiness'> & { metrics: Pick<Metrics, 'text'> }
  /** The API has asked this process to reload: the others behind the same port are to do so too. */
  reloadOthers?: () => void
}

/** Throws when an address cannot be listened on; an identity provider or a store that is down is no reason not to start. */
export async function startServer(config: Config, deps: ServerDeps): Promise<Server> {
  const { clock, log, pause = realPause } = deps
  const parts = openParts(config, deps)
  const { metrics, auditLog, store, keyring, ringFor, pressure, readiness, pool } = parts
  const running = (): Config => gateway.config()
  const limited = { store, clock, log, rate: () => running().limits.logins }
  const gateway = await createGateway(config, {
    ...parts,
    limit: createLoginLimit({ limit: createRateLimit({ ...limited, name: 'logins' }), log }),
  })
  const apply = createApply({ gateway, keyring, ringFor, auditLog, log })
  const { source } = deps
  const reloads = source && createReloads({ source, running, apply, readiness, metrics, audit: parts.audit, log })
  const reload = async (cause: ReloadCause): Promise<ReloadResult> =>
    reloads ? reloads.reload(cause) : { applied: true, changed: [], warnings: [] }
  const reloadAll = () => {
    deps.reloadOthers?.()
    return reload('api')
  }
  const told = deps.together?.({ metrics, readiness }) ?? { metrics, readiness }
  const ops = createOps({
    ...parts,
    ...told,
    adminToken: () => running().ops.adminToken,
    limit: createRateLimit({ ...limited, name: 'admin' }),
    breakglass: {
      ...parts,
      issuer: parts.breakglass,
      url: () => breakglassUrl(running()),
      directory: gateway.directory,
    },
    ...(reloads ? { reload: reloadAll } : {}),
  })
  const probes = config.ops.probes === null ? undefined : createProbes(told)
  const watch = reloads && watchFiles({ files: reloads.files, changed: () => reload('file') })
  const announce = deps.announce ?? (addresses => log.info(addresses, 'listening'))

  const close = async ({ serveOn = 0, finish }: Ending = {}) => {
    watch?.close()
    readiness.drain()
    gateway.windDown()
    await pause(serveOn)
    const cut = await gateway.close(finish)
    if (cut > 0) log.warn({ connections: cut, drain: config.drain }, 'the drain is over: open connections were cut')
    await pool.close()
    await ops.close()
    await probes?.close()
    readiness.close()
    pressure.close()
    await parts.fetchText.close()
    await store.close()
    auditLog.close()
  }
  try {
    // The gateway first: who is told "ready" must be able to connect.
    const url = await listenOn(gateway.app, config.listen, config.tls ? 'https' : 'http')
    const opsUrl = await listenOn(ops, config.ops.listen, 'http')
    const probesUrl = probes && (await listenOn(probes, config.ops.probes ?? '', 'http'))
    const more = probesUrl === undefined ? {} : { probes: probesUrl }
    announce({ url, ops: opsUrl, ...more, publicUrl: config.publicUrl })
    return { url, opsUrl, probesUrl, reload, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What this process holds as long as it lives, whatever is reloaded. */
function openParts(config: Config, deps: ServerDeps) {
  const { clock, random, log, measure, storeTimeout } = deps
  const metrics = createMetrics()
  const auditLog = createAuditLog({ to: config.audit.to, clock, log, lost: metrics.auditLost })
  const audit = auditLog.write
  const slow = storeTimeout === undefined ? {} : { commandTimeout: storeTimeout }
  const store = openStore(config.sessions.store, { clock, log, ...slow })
  const ringFor = ringMaker(random)
  const keyring = keyringInUse(ringFor(config))
  const pressure = createPressure({ log, ...(measure ? { measure } : {}) })
  const { shedding } = pressure
  const pool = createSamlPool({ log })
  return {
    ...{ clock, random, log, metrics, auditLog, audit, store, ringFor, keyring, pressure, shedding, pool },
    sessions: createSessions({ store, keyring, clock, random, settings: config.sessions, metrics, audit, log }),
    dossiers: createDossiers({ store, clock, random, log }),
    breakglass: createBreakglass({ store, keyring, clock, random }),
    readiness: createReadiness({ store, clock, log, metrics, shedding }),
    fetchText: createFetch(),
    verifySaml: deps.verifySaml ?? pool.verify,
  }
}

function breakglassUrl({ publicUrl, prefix }: Config): string {
  return publicUrl + createPaths(prefix).breakglass
}

/** Puts another configuration to use, whole or not at all. The result rejects when something of it cannot be used. */
function createApply(deps: {
  gateway: Gateway
  keyring: KeyringInUse
  ringFor(config: Config): Keyring
  auditLog: AuditLog
  log: Log
}): (next: Config) => Promise<void> {
  const { gateway, keyring, ringFor, auditLog, log } = deps

  return async next => {
    const ring = ringFor(next)
    const prepared = await gateway.prepare(next, ring)
    try {
      if (next.tls) createSecureContext(serverTls(next.tls))
    } catch (error) {
      await prepared.drop()
      throw error
    }
    // From here on nothing fails, and nothing waits: all of it counts for the next request.
    keyring.replace(ring)
    prepared.take()
    if (next.tls) (gateway.app.server as unknown as TlsServer).setSecureContext(serverTls(next.tls))
    log.level = next.log.level
    auditLog.sendTo(next.audit.to)
  }
}

/** Only the memory store may do without secrets: what one process seals, no other has to open. */
function ringMaker(random: Random): (config: Config) => Keyring {
  let own: string | undefined
  return ({ secrets }) => {
    const configured = secrets.map(secret => secret.reveal())
    if (configured.length === 0) own ??= randomSecret(random)
    // What was sealed before there were secrets still opens.
    return createKeyring(own === undefined ? configured : [...configured, own], { random })
  }
}
