// `deskgate doctor`: a whole login through publicUrl, as a browser would go, with a throw-away provider that the running
// gateway opens for it (ops/api/rehearsal.ts). Each check says what was seen and the setting to change.

import { readFileSync } from 'node:fs'
import type { Config } from '../../config/schema/index.js'
import type { RehearsalAnswer } from '../../ops/api/rehearsal.js'
import type { RefusedLoginReport } from '../../ops/refused-logins.js'
import { systemClock } from '../../runtime/clock.js'
import { createCookies } from '../../web/request/cookies.js'
import { checkArrival, checkBypass, checkSizes, checkStream, checkWebSocket } from '../doctor/arrival.js'
import { createBrowser } from '../doctor/browser.js'
import { checkConnection } from '../doctor/connection.js'
import { createFindings, type Findings, findingLines } from '../doctor/findings.js'
import { beginLogin, logIn } from '../doctor/login.js'
import {
  type ClockOffset,
  checkConfiguration,
  checkDesk,
  checkOwnClock,
  checkProviderClocks,
  checkProviders,
  checkStore,
} from '../doctor/surroundings.js'
import type { ExitCode, Io } from '../io.js'
import { askOps, askReadiness, type OpsAccess, OpsUnreachable, opsAccess } from '../ops-client.js'
import { readConfiguration } from './configuration.js'

interface DoctorOptions {
  config?: string
  ops?: string
  ca?: string
  json?: boolean
}

export async function doctor(options: DoctorOptions, io: Io): Promise<ExitCode> {
  const config = await readConfiguration(options.config, io, 'problems')
  const at = config && (await opsAccess(options, io))
  if (!at) return 1
  let ca: string | undefined
  try {
    ca = options.ca === undefined ? undefined : readFileSync(options.ca, 'utf8')
  } catch (error) {
    io.err(`--ca: ${(error as Error).message}`)
    return 1
  }
  const found = createFindings()
  const proven = await examine(found, { config, at, ca })
  const problems = found.all.filter(({ state }) => state === 'problem')
  if (options.json) io.out(JSON.stringify({ healthy: problems.length === 0, checks: found.all }))
  else for (const line of findingLines(found.all)) io.out(line)
  for (const { check, seen, change } of problems) io.err(`${check}: ${seen} (change: ${change})`)
  if (!options.json && problems.length === 0) {
    io.out(proven ? 'The way through the gateway works.' : toDesk)
    io.out(notTested)
  }
  return problems.length === 0 ? 0 : 1
}

const toDesk = 'The way to Desk works. It is not proven that Desk accepts an agent: see the check "Desk\'s first page".'
const notTested =
  'Not tested: your identity provider, and whether Desk knows an agent (docs/desks). Log in once. If the login is refused, the page shows a reference: deskgate explain REFERENCE'

interface Patient {
  config: Config
  at: OpsAccess
  ca: string | undefined
}

/** Whether Desk has taken the agent of the rehearsal. */
async function examine(found: Findings, { config, at, ca }: Patient): Promise<boolean> {
  checkConfiguration(found, await askReadiness(at))
  const sent = systemClock.now()
  let rehearsal: RehearsalAnswer | undefined
  try {
    rehearsal = (await askOps(at, '/api/rehearsal', 'POST')) as RehearsalAnswer | undefined
  } catch (error) {
    // Its only 503: the store does not answer.
    if (!(error instanceof OpsUnreachable && error.status === 503)) throw error
    checkStore(found, error.message, config)
    return false
  }
  if (!rehearsal)
    throw new OpsUnreachable(
      'no rehearsal API at this address: either it is not ops.listen (check --ops), or ops.adminToken is not set there',
    )
  const received = systemClock.now()
  // The gateway has probed its store before it looked at its clock.
  const clock = { offset: rehearsal.now - received, within: received - sent }
  try {
    return await goThrough(found, { config, at, ca }, rehearsal, clock)
  } finally {
    await askOps(at, `/api/rehearsal/${rehearsal.id}`, 'DELETE').catch((error: Error) => {
      found.warning('end of the rehearsal', error.message, 'nothing: it ends by itself within a minute')
    })
  }
}

async function goThrough(
  found: Findings,
  { config, at, ca }: Patient,
  rehearsal: RehearsalAnswer,
  clock: ClockOffset,
): Promise<boolean> {
  const { publicUrl } = rehearsal
  const browser = createBrowser({ ca })
  const parts = { rehearsal, browser, config, now: systemClock.now }
  if (publicUrl === config.publicUrl) found.ok('publicUrl', publicUrl)
  else {
    const seen = `the running gateway has ${publicUrl}, this configuration ${config.publicUrl}`
    found.problem('publicUrl', seen, '--config, --ops, or reload the gateway')
  }
  checkOwnClock(found, clock)
  checkStore(found, rehearsal.store, config)
  await checkProviderClocks(found, parts, clock)
  if (!(await checkConnection(found, { publicUrl, ca, browser, now: systemClock.now() }))) return false
  const explain = async (reference: string) =>
    (await askOps(at, `/api/logins/${reference}`)) as RefusedLoginReport | undefined
  const login = { ...parts, cookies: createCookies({ publicUrl, prefix: config.prefix }), explain }
  const begun = await beginLogin(found, login)
  if (!begun) return false
  await checkBypass(found, parts)
  if (!(await logIn(found, login, begun))) return false
  await checkProviders(found, parts)
  if (!(await checkArrival(found, parts))) return false
  await checkSizes(found, parts)
  await checkWebSocket(found, parts)
  await checkStream(found, parts)
  return checkDesk(found, parts)
}
