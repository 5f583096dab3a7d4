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
import { logIn } from '../doctor/login.js'
import { checkProviders } from '../doctor/providers.js'
import { type ClockOffset, checkDesk, checkOwnClock, checkProviderClocks, checkStore } from '../doctor/surroundings.js'
import type { ExitCode, Io } from '../io.js'
import { askOps, type OpsAccess, OpsUnreachable, opsAccess } from '../ops-client.js'
import { readConfiguration } from './configuration.js'

export interface DoctorOptions {
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
  await examine(found, { config, at, ca })
  const problems = found.all.filter(({ state }) => state === 'problem')
  if (options.json) io.out(JSON.stringify({ healthy: problems.length === 0, checks: found.all }))
  else for (const line of findingLines(found.all)) io.out(line)
  for (const { check, seen, change } of problems) io.err(`${check}: ${seen} (change: ${change})`)
  if (!options.json && problems.length === 0) {
    io.out('The way through the gateway works.')
    io.out('Not tested: your identity provider, and whether Desk knows an agent: see docs/desks.')
  }
  return problems.length === 0 ? 0 : 1
}

interface Patient {
  config: Config
  at: OpsAccess
  ca: string | undefined
}

async function examine(found: Findings, { config, at, ca }: Patient): Promise<void> {
  const sent = systemClock.now()
  const rehearsal = (await askOps(at, '/api/rehearsal', 'POST')) as RehearsalAnswer | undefined
  if (!rehearsal)
    throw new OpsUnreachable('no rehearsal API at this address: set ops.adminToken there, and check --ops')
  const received = systemClock.now()
  // The gateway has probed its store before it looked at its clock.
  const clock = { offset: rehearsal.now - received, within: received - sent }
  try {
    await goThrough(found, { config, at, ca }, rehearsal, clock)
  } finally {
    await askOps(at, `/api/rehearsal/${rehearsal.id}`, 'DELETE').catch((error: Error) => {
      found.warning('end of the rehearsal', error.message, 'nothing: it ends by itself within a minute')
    })
  }
}

async function goThrough(found: Findings, { config, at, ca }: Patient, rehearsal: RehearsalAnswer, clock: ClockOffset) {
  const { publicUrl } = rehearsal
  const browser = createBrowser({ ca })
  const parts = { rehearsal, browser, config, now: systemClock.now }
  if (publicUrl === config.publicUrl) found.ok('publicUrl', publicUrl)
  else {
    const seen = `the running gateway has ${publicUrl}, this configuration ${config.publicUrl}`
    found.problem('publicUrl', seen, '--config, --ops, or reload the gateway')
  }
  checkOwnClock(found, clock)
  checkStore(found, parts)
  await checkProviderClocks(found, parts, clock)
  if (!(await checkConnection(found, { publicUrl, ca, browser, now: systemClock.now() }))) return
  await checkBypass(found, parts)
  const { prefix } = config
  const explain = async (reference: string) =>
    (await askOps(at, `/api/logins/${reference}`)) as RefusedLoginReport | undefined
  const cookies = createCookies({ publicUrl, prefix })
  if (!(await logIn(found, { ...parts, cookies, prefix, explain }))) return
  await checkProviders(found, parts)
  if (!(await checkArrival(found, parts))) return
  await checkSizes(found, parts)
  await checkWebSocket(found, parts)
  await checkStream(found, parts)
  await checkDesk(found, parts)
}
