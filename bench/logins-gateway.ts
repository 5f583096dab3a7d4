// The gateway of the measurement, in a process of its own: `pool` as it is, `loop` with SAML verified on the event loop.

import { readConfiguration } from '../src/cli/commands/configuration.js'
import { createLog } from '../src/ops/log.js'
import { verifySaml } from '../src/providers/saml/signature/verify.js'
import { systemClock, systemRandom } from '../src/runtime/clock.js'
import { startServer } from '../src/server/server.js'

const [file, how] = process.argv.slice(2)
const io = {
  env: process.env,
  out: (line: string) => process.stdout.write(`${line}\n`),
  err: (line: string) => process.stderr.write(`${line}\n`),
}
const config = await readConfiguration(file, io)
if (!config) process.exit(1)
const deps = { clock: systemClock, random: systemRandom, log: createLog(config.log) }
const server = await startServer(config, how === 'loop' ? { ...deps, verifySaml } : deps)
process.once('SIGTERM', () => void server.close().then(() => process.exit(0)))
