// What the release has at this moment: its values, with what the rows have changed in them, and its Secret.

import { randomBytes } from 'node:crypto'
import { must } from '../tried.mjs'
import { secretObject, valuesFor } from './objects.mjs'

let values = {}
let secrets = {}

/** To be called once, before the rows. */
export function begin({ image, desk, redis }) {
  values = valuesFor({ image, desk, agents: ['ana@example.com'] })
  const random = () => randomBytes(48).toString('base64')
  secrets = { ring: random(), portal: random(), 'admin-token': random(), 'redis-url': `redis://${redis}:6379/0` }
}

/** The first values with these changes: a mapping is merged, undefined takes a key out. */
export const valuesNow = (changes = {}) => merged(values, changes)

function merged(before, changes) {
  const after = { ...before }
  for (const [key, value] of Object.entries(changes)) {
    const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value)
    if (value === undefined) delete after[key]
    else after[key] = isMapping ? merged(before[key] ?? {}, value) : value
  }
  return after
}

/** The provider's secret. */
export const portal = () => secrets.portal

/** Its keys and values, as they are now. */
export const secretFiles = () => Object.entries(secrets)

/** The Secret after these changes. */
export function secretData(changes = {}) {
  secrets = { ...secrets, ...changes }
  return secretObject(secrets)
}

/** The cookie of a new session of Ana's. */
export function logInto(cluster) {
  const { status, cookie, why } = cluster.login('ana@example.com', portal())
  must(status === 303 && cookie, `the login answers ${status} ${why ?? ''}`)
  return cookie
}
