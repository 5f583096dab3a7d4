// What one process holds as long as it lives, whatever is reloaded: its connections, logs, keys in use and measurements. It
// opens them in order and closes what the gateway and the listeners leave; it listens on nothing.

import type { Config } from '../config/schema/index.js'
import type { Clock, Random } from '../core/contracts.js'
import { createKeyring, type Keyring, randomSecret } from '../keys/keyring.js'
import { keyringInUse } from '../keys/replaceable-keyring.js'
import { createAuditLog } from '../ops/audit.js'
import { createPressure, type Load } from '../ops/load-shedding.js'
import type { Log } from '../ops/log.js'
import { createMetrics } from '../ops/metrics.js'
import { createReadiness } from '../ops/readiness.js'
import { createDossiers } from '../ops/refused-logins.js'
import { createBreakglass } from '../providers/breakglass.js'
import { createSamlPool, type VerifySaml } from '../providers/saml/signature/worker-pool.js'
import { createFetch } from '../runtime/http-client.js'
import { createSessions } from '../sessions/sessions.js'
import { openStore } from '../store/open.js'

export interface HoldingsDeps {
  clock: Clock
  random: Random
  log: Log
  /** In the place of the pool of threads, to measure what it brings. */
  verifySaml?: VerifySaml
  /** In the place of what this process measures of itself, for tests. */
  measure?: () => Load
  /** Milliseconds that the store has for a command, where it is not the usual: for a machine that is known to be slow. */
  storeTimeout?: number
}

export type Holdings = ReturnType<typeof openHoldings>

/** A store that is down is no reason not to start: the connection is made when it can be. */
export function openHoldings(config: Config, deps: HoldingsDeps) {
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

/** After the listeners: nothing asks for these any more. */
export async function closeHoldings({ readiness, pressure, fetchText, store, auditLog }: Holdings): Promise<void> {
  readiness.close()
  pressure.close()
  await fetchText.close()
  await store.close()
  auditLog.close()
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
