// Agents at work while something happens to the gateway: a steady number of requests a second by all of them in turn, and
// of each is seen that it was answered and that Desk was told who it is, by header and by assertion.

import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose'
import type { Test } from 'tap'
import type { Desk } from './desk.js'
import { type Load, startLoad } from './load.js'
import type { UserAgent } from './user-agent.js'

export interface SteadyAgent {
  email: string
  agent: UserAgent
}

export interface SteadyAgents {
  load: Load
  /** What was told as assertions, each once, in the order in which they came. */
  assertions(): string[]
  /** No assertion that is alive is unknown to this key set. Resolves to the IDs of the keys that signed them. */
  verifies(t: Test, keys: JSONWebKeySet, now: number): Promise<Set<string>>
  /** Ends it: every request that was planned was sent and answered as it should be, and nobody was logged out. */
  end(t: Test): Promise<void>
}

/** Makes Desk answer with what it is told, and keep nothing. */
export function echoIdentity(desk: Desk): void {
  desk.onRequest((_request, response, seen) => {
    desk.seen.length = 0
    const told = { email: seen.folded('x-agent-email'), assertion: seen.folded('x-agent-assertion') }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(told))
  })
}

/** The agents are logged in; Desk `repeatsWhatItIsTold`. Assertions are `issuer`'s. */
export function startSteadyAgents(to: {
  origin: string
  issuer: string
  workers: readonly [SteadyAgent, ...SteadyAgent[]]
  perSecond: number
}): SteadyAgents {
  const { origin, issuer, workers, perSecond } = to
  const host = new URL(issuer).host
  const seen = new Set<string>()
  const cookies = workers.map(({ agent }) => agent.cookieHeader('/'))
  const check = (number: number, body: string): string | undefined => {
    const { email } = workers[number % workers.length] ?? workers[0]
    const told = JSON.parse(body) as { email: string[]; assertion: string[] }
    const [assertion = ''] = told.assertion
    if (told.email.length !== 1 || told.email[0] !== email) return `Desk was told ${told.email}, and it is ${email}`
    if (told.assertion.length !== 1 || decodeJwt(assertion).sub !== email)
      return `an assertion for ${email} is another's`
    seen.add(assertion)
    return undefined
  }
  const headers = (number: number) => ({ host, cookie: cookies[number % cookies.length] ?? '' })
  const load = startLoad({ origin, path: '/tickets', headers, perSecond, check })

  return {
    load,
    assertions: () => [...seen],
    async verifies(t, keys, now) {
      const set = createLocalJWKSet(keys)
      const used = new Set<string>()
      for (const assertion of seen) {
        if ((decodeJwt(assertion).exp ?? 0) * 1000 <= now) continue
        const { protectedHeader } = await jwtVerify(assertion, set, { issuer, currentDate: new Date(now) })
        used.add(protectedHeader.kid ?? '')
      }
      t.ok(used.size > 0, 'there are assertions alive, and each is by a key that is published')
      return used
    },
    async end(t) {
      await load.stop()
      t.same([...new Set(load.failures)], [], 'no request failed, and Desk was told right each time')
      t.equal(load.times.length, load.planned(), `all ${load.planned()} requests of the plan were answered`)
      for (const { email, agent } of workers) {
        t.equal((await agent.fetch('/tickets')).status, 200, `${email} was not logged out`)
      }
    },
  }
}
