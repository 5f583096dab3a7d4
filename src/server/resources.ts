// Everything that a process keeps for its whole life, across reloads: connections, logs, the keyring, metrics. It opens
// them in order, and closes them after the gateway and the listeners. It opens no listener.

import { availableParallelism } from 'node:os'
import type { Config } from '../config/schema/index.js'
import type { Clock, Random } from '../core/clock.js'
import type { Store } from '../core/store.js'
import { createKeyring, createReplaceableKeyring, type Keyring, randomSecret } from '../keys/keyring.js'
import { createAuditLog } from '../ops/audit.js'
import { cgroupMemory, createLoadShedding, type ProcessLoad } from '../ops/load-shedding.js'
import type { Log } from '../ops/log.js'
import { createMetrics } from '../ops/metrics.js'
import { createObservedRequests } from '../ops/observed.js'
import { createReadiness } from '../ops/readiness.js'
import { createRefusedLogins } from '../ops/refused-logins.js'
import type { Tracing } from '../ops/tracing.js'
import { createBreakglass } from '../providers/breakglass.js'
import { createSamlPool, type VerifySaml } from '../providers/saml/signature/worker-pool.js'
import { createHttpClient } from '../runtime/http-client.js'
import { openStore } from '../store/open.js'
import { traceStore } from './traces.js'

export interface ResourcesDeps {
  clock: Clock
  random: Random
  log: Log
  /** Replaces the thread pool, to measure what the pool brings. */
  verifySaml?: VerifySaml
  measure?: () => ProcessLoad
  /** Stands between the gateway and its store, for tests. */
  wrapStore?: (store: Store) => Store
  /** The time limit of a store command in milliseconds, when it is not the default: for slow machines. */
  storeTimeout?: number
  /** Only where tracing.otlp is set. */
  tracing?: Tracing | undefined
}

export type Resources = ReturnType<typeof openResources>

/** Does not fail when the store is down: it connects as soon as it can. */
export function openResources(config: Config, deps: ResourcesDeps) {
  const { clock, random, log, measure, storeTimeout } = deps
  const metrics = createMetrics()
  const auditLog = createAuditLog({ to: config.audit.to, clock, log, lost: metrics.auditLost })
  const audit = auditLog.write
  const slow = storeTimeout === undefined ? {} : { commandTimeout: storeTimeout }
  const opened = openStore(config.sessions.store, { clock, log, ...slow })
  const wrapped = deps.wrapStore?.(opened) ?? opened
  const { tracing } = deps
  const store = tracing ? traceStore(wrapped, tracing) : wrapped
  const createKeyringFor = keyringFactory(random)
  const keyring = createReplaceableKeyring(createKeyringFor(config))
  const loadShedding = createLoadShedding({ log, memory: memoryLimitOf(config), ...(measure ? { measure } : {}) })
  const { shedding } = loadShedding
  const pool = createSamlPool({ log })
  return {
    ...{
      clock,
      random,
      log,
      metrics,
      auditLog,
      audit,
      store,
      createKeyringFor,
      keyring,
      loadShedding,
      shedding,
      pool,
      tracing,
    },
    refusedLogins: createRefusedLogins({ store, clock, random, log }),
    breakglass: createBreakglass({ store, keyring, clock, random }),
    readiness: createReadiness({ store, clock, log, metrics, shedding, mode: config.mode }),
    observed: createObservedRequests({ clock, mode: config.mode }),
    fetchText: createHttpClient(),
    verifySaml: deps.verifySaml ?? pool.verify,
  }
}

/** To be called after the listeners are closed. */
export async function closeResources({
  readiness,
  loadShedding,
  fetchText,
  store,
  auditLog,
  tracing,
}: Resources): Promise<void> {
  readiness.close()
  loadShedding.close()
  await fetchText.close()
  await store.close()
  await tracing?.close()
  auditLog.close()
}

/** The number of processes that `workers` asks for; `auto` is one for each available core. */
export function workerCount({ workers }: Pick<Config, 'workers'>): number {
  return workers === 'auto' ? availableParallelism() : workers
}

/** Bytes of memory from which on this process refuses requests: its share of what the cgroup allows, if nothing is set. */
export function memoryLimitOf(config: Pick<Config, 'limits' | 'workers'>): number | undefined {
  const allowed = config.limits.memory === null ? cgroupMemory() : undefined
  return config.limits.memory ?? (allowed && (allowed * 0.9) / workerCount(config))
}

/** Secrets are optional only with the memory store: no other process has to open what this one seals. */
function keyringFactory(random: Random): (config: Config) => Keyring {
  let generated: string | undefined
  return ({ secrets }) => {
    const configured = secrets.map(secret => secret.reveal())
    if (configured.length === 0) generated ??= randomSecret(random)
    // Values sealed before secrets were configured can still be opened.
    return createKeyring(generated === undefined ? configured : [...configured, generated], { random })
  }
}
