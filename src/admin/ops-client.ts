// Talks to the ops API of a running gateway, on the address given or on the one in the configuration.

import { request } from 'undici'
import type { Config } from '../config/schema/index.js'

/** The gateway could not be asked; the message says what to mend. */
export class OpsUnreachable extends Error {
  override name = 'OpsUnreachable'
}

/** The base URL of the ops listener that a configuration describes. */
export function opsUrl(config: Config): string {
  const { listen } = config.ops
  if (listen.startsWith('unix:')) throw new OpsUnreachable('ops.listen is a socket: give the address with --ops URL')
  return `http://${listen.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')}`
}

/**
 * GETs JSON from the ops API; undefined when it answers 404.
 * Throws OpsUnreachable when nothing answers or the token is refused.
 */
export async function askOps(base: string, path: string, token: string): Promise<unknown> {
  const url = new URL(path, base)
  const answer = await request(url, { headers: { authorization: `Bearer ${token}` }, headersTimeout: 5_000 }).catch(
    (error: Error & { code?: string }) => {
      throw new OpsUnreachable(
        `no gateway answers at ${url.origin} (${error.code ?? error.name}): is it running, and is --ops right?`,
      )
    },
  )
  if (answer.statusCode === 404) {
    await answer.body.dump()
    return undefined
  }
  if (answer.statusCode === 401)
    throw new OpsUnreachable('the gateway refuses the admin token: compare ops.adminToken with the running one')
  if (answer.statusCode !== 200) throw new OpsUnreachable(`the gateway answers ${answer.statusCode}`)
  return answer.body.json()
}
