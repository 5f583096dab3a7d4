// One worker's life: opens what the gateway needs, listens, says that it is ready, and on close lets requests finish.

import type { AddressInfo } from 'node:net'
import { createSecureContext, type Server as TlsServer } from 'node:tls'
import type { FastifyInstance } from 'fastify'
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
import { createMetrics } from './ops/metrics.js'
import { createPressure, type Load } from './ops/pressure.js'
import { createProbes } from './ops/probes.js'
import { createRateLimit } from './ops/rate-limit.js'
import { createReadiness } from './ops/readiness.js'
import { createBreakglass } from './providers/breakglass.js'
import { createSamlPool, type VerifySaml } from './providers/saml/pool.js'
import { createReloads, type ReloadCause, type ReloadResult } from './reload.js'
import { createKeyring, type Keyring, randomSecret } from './sessions/keyring.js'
import { type KeyringInUse, keyringInUse } from './sessions/keyring-in-use.js'
import { createSessions } from './sessions/sessions.js'
import { openStore } from './store/open.js'
import { serverTls } from './web/listener.js'
import { createLoginLimit } from './web/login-limit.js'
import { createPaths } from './web/paths.js'

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
  close(): Promise<void>
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
}

/** Throws when an address cannot be listened on; an identity provider or a store that is down is no reason not to start. */
export async function startServer(config: Config, deps: ServerDeps): Promise<Server> {
  const { clock, random, log } = deps
  const metrics = createMetrics()
  const auditLog = createAuditLog({ to: config.audit.to, clock, log, lost: metrics.auditLost })
  const audit = auditLog.write
  const store = openStore(config.sessions.store, { clock, log })
  const ringFor = ringMaker(random)
  const keyring = keyringInUse(ringFor(config))
  const sessions = createSessions({ store, keyring, clock, random, settings: config.sessions, metrics, audit, log })
  const dossiers = createDossiers({ store, clock, random, log })
  const breakglass = createBreakglass({ store, keyring, clock, random })
  const pressure = createPressure({ log, ...(deps.measure ? { measure: deps.measure } : {}) })
  const { shedding } = pressure
  const readiness = createReadiness({ store, clock, log, metrics, shedding })
  const fetchText = createFetch()
  const pool = createSamlPool({ log })
  const running = (): Config => gateway.config()
  const limited = { store, clock, log, rate: () => running().limits.logins }
  const gateway = await createGateway(config, {
    store,
    keyring,
    sessions,
    dossiers,
    breakglass,
    fetchText,
    verifySaml: deps.verifySaml ?? pool.verify,
    clock,
    random,
    log,
    audit,
    metrics,
    limit: createLoginLimit({ limit: createRateLimit({ ...limited, name: 'logins' }), log }),
    shedding,
  })
  const apply = createApply({ gateway, keyring, ringFor, auditLog, log })
  const { source } = deps
  const reloads = source && createReloads({ source, running, apply, readiness, metrics, audit, log })
  const reload = async (cause: ReloadCause): Promise<ReloadResult> =>
    reloads ? reloads.reload(cause) : { applied: true, changed: [], warnings: [] }
  const ops = createOps({
    metrics,
    dossiers,
    readiness,
    adminToken: () => running().ops.adminToken,
    limit: createRateLimit({ ...limited, name: 'admin' }),
    audit,
    breakglass: {
      issuer: breakglass,
      get url() {
        return running().publicUrl + createPaths(config.prefix).breakglass
      },
      directory: gateway.directory,
      audit,
      metrics,
      log,
    },
    ...(reloads ? { reload: () => reload('api') } : {}),
  })
  const probes = config.ops.probes === null ? undefined : createProbes({ metrics, readiness })
  const watch = reloads && watchFiles({ files: reloads.files, changed: () => reload('file') })

  const close = async () => {
    watch?.close()
    readiness.drain()
    await gateway.close()
    await pool.close()
    await ops.close()
    await probes?.close()
    readiness.close()
    pressure.close()
    await fetchText.close()
    await store.close()
    auditLog.close()
  }
  try {
    const opsUrl = await listen(ops, config.ops.listen, 'http')
    const probesUrl = probes && (await listen(probes, config.ops.probes ?? '', 'http'))
    const url = await listen(gateway.app, config.listen, config.tls ? 'https' : 'http')
    const places = { url, ops: opsUrl, ...(probesUrl === undefined ? {} : { probes: probesUrl }) }
    log.info({ ...places, publicUrl: config.publicUrl }, 'listening')
    return { url, opsUrl, probesUrl, reload, close }
  } catch (error) {
    await close()
    throw error
  }
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

/** Listens on host:port or unix:/path; the URL names a host that this machine can open. */
async function listen(app: FastifyInstance, address: string, scheme: 'http' | 'https'): Promise<string> {
  if (address.startsWith('unix:')) {
    await app.listen({ path: address.slice('unix:'.length) })
    return address
  }
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  await app.listen({ host, port: Number(address.slice(colon + 1)) })
  const { port } = app.server.address() as AddressInfo
  const open = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host
  return `${scheme}://${open}:${port}`
}
