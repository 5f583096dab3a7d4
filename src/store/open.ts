// Opens the store of the configuration.

import type { StoreSettings } from '../config/schema/sessions.js'
import type { Store } from '../core/store.js'
import { createMemoryStore } from './memory/store.js'
import { connect } from './redis/connect.js'
import type { ConnectDeps } from './redis/connection.js'
import { createRedisStore } from './redis/store.js'
import { topologyOf } from './redis/url.js'

/** Throws an Error that names the setting when it cannot be used. A Redis that is down is not such an error: calls and probe() fail. */
export function openStore(settings: StoreSettings, deps: ConnectDeps): Store {
  if (topologyOf(settings) === 'memory') return createMemoryStore({ clock: deps.clock })
  const connection = connect(settings, deps)
  return createRedisStore({ ...deps, connection, keyPrefix: settings.keyPrefix })
}
