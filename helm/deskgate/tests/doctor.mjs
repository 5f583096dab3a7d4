// The helm test of a whole login, with test.doctor: `deskgate doctor`, asked of a gateway of this pod's own, on the store of
// the release and with its configuration. The API of the other pods, which opens the rehearsal, listens on loopback alone; and
// what is opened in one of them is known to all. CONFIG: the file; READY: the address of the probe.

import { spawn } from 'node:child_process'

const { CONFIG, READY } = process.env
const patience = 60_000

const run = command => {
  const child = spawn(process.execPath, ['dist/main.js', command, '--config', CONFIG], { stdio: 'inherit' })
  const ended = new Promise(resolve => child.once('exit', code => resolve(code ?? 1)))
  return { child, ended }
}

const gateway = run('serve')
let end
gateway.ended.then(code => {
  end = code
})

const isReady = () =>
  fetch(READY, { signal: AbortSignal.timeout(5000) }).then(
    ({ ok }) => ok,
    () => false,
  )
const until = Date.now() + patience
while (end === undefined && Date.now() < until && !(await isReady()))
  await new Promise(resolve => setTimeout(resolve, 200))

if (end === undefined && (await isReady())) process.exitCode = await run('doctor').ended
else {
  const why = end === undefined ? `is not ready within ${patience / 1000} s` : `has exited with code ${end}`
  process.stderr.write(`failed: the gateway of this pod ${why}\n`)
  process.exitCode = 1
}
// Nobody is connected: nothing is left to drain.
gateway.child.kill('SIGKILL')
