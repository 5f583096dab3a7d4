// What systemd is told: in which order, when a watchdog is fed, and that nothing is started where there is no systemd. The
// program is the real systemd-notify where it and Python are there (Node cannot receive Unix datagrams).

import { spawn, spawnSync } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { createServiceManager, watchdogInterval } from '../../src/runtime/service-manager.js'
import { startGateway } from '../parts/gateway.js'
import { until } from '../parts/wait-until.js'

const { PATH } = process.env

async function folderFor(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-notify-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A systemd-notify that writes its arguments into a file, a line each call; with the exit code of `exit`. */
async function recorder(t: Test, exit = 0) {
  const folder = await folderFor(t)
  const calls = join(folder, 'calls')
  const script = `#!/bin/sh\nIFS='|'; echo "$NOTIFY_SOCKET $*" >> '${calls}'; exit ${exit}\n`
  await writeFile(join(folder, 'systemd-notify'), script)
  await chmod(join(folder, 'systemd-notify'), 0o755)
  const warnings: object[] = []
  const ticks: { ms: number; run: () => void }[] = []
  const make = (env: NodeJS.ProcessEnv) =>
    createServiceManager({
      env: { PATH: `${folder}:${PATH}`, ...env },
      pid: 7,
      log: { warn: facts => void warnings.push(facts) },
      every: (ms, run) => void ticks.push({ ms, run }),
    })
  const lines = async () => (await readFile(calls, 'utf8').catch(() => '')).split('\n').filter(line => line !== '')
  return { make, lines, warnings, ticks }
}

t.test('ready, a reload from its beginning to its end, and stopping, in order', async t => {
  const { make, lines, warnings } = await recorder(t)
  const service = make({ NOTIFY_SOCKET: '/run/n' })
  service.ready('Listening on http://127.0.0.1:1')
  await service.reload(async () => 'Configuration reloaded')
  void service.stopping('Draining')
  await until(async () => (await lines()).length === 4)
  const [ready, reloading, ...rest] = await lines()
  t.equal(ready, '/run/n READY=1|STATUS=Listening on http://127.0.0.1:1')
  t.match(reloading, /^\/run\/n RELOADING=1\|MONOTONIC_USEC=\d+\|STATUS=/)
  t.strictSame(rest, ['/run/n READY=1|STATUS=Configuration reloaded', '/run/n STOPPING=1|STATUS=Draining'])
  t.strictSame(warnings, [])
})

t.test('without NOTIFY_SOCKET nothing is started, and a reload still runs', async t => {
  const { make, lines, ticks } = await recorder(t)
  const service = make({ WATCHDOG_USEC: '60000000' })
  service.ready('x')
  service.watch()
  let ran = false
  await service.reload(async () => {
    ran = true
    return ''
  })
  void service.stopping('x')
  t.ok(ran)
  t.strictSame(ticks, [])
  t.strictSame(await lines(), [])
})

t.test('a sign of life at half of the time, after the check, one at a time', async t => {
  const { make, lines, ticks } = await recorder(t)
  let checks = 0
  make({ NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7' }).watch(() => void checks++)
  const [tick] = ticks
  t.equal(tick?.ms, 30_000)
  tick?.run()
  tick?.run()
  t.equal(checks, 2)
  await until(async () => (await lines()).length === 1)
  t.strictSame(await lines(), ['/run/n WATCHDOG=1'])
})

t.test('a watchdog that is not set, or is set for another process, is not fed', async t => {
  const NOTIFY_SOCKET = '/run/n'
  for (const WATCHDOG_USEC of ['', '0', '-1', '1e6', 'x', '99999999999999999999']) {
    t.equal(watchdogInterval({ NOTIFY_SOCKET, WATCHDOG_USEC }, 7), undefined, WATCHDOG_USEC)
  }
  t.equal(watchdogInterval({ NOTIFY_SOCKET, WATCHDOG_USEC: '2000', WATCHDOG_PID: '8' }, 7), undefined)
  t.equal(watchdogInterval({ WATCHDOG_USEC: '2000' }, 7), undefined)
  t.equal(watchdogInterval({ NOTIFY_SOCKET, WATCHDOG_USEC: '2000' }, 7), 1)
})

t.test('a systemd-notify that fails or is missing is reported once, and stops nothing', async t => {
  const { make, warnings } = await recorder(t, 1)
  const service = make({ NOTIFY_SOCKET: '/run/n' })
  service.ready('x')
  await service.reload(async () => 'x')
  t.equal(warnings.length, 1)
  const none = await recorder(t)
  await none.make({ NOTIFY_SOCKET: '/run/n', PATH: '/nowhere' }).reload(async () => 'x')
  t.match(none.warnings, [{ cause: /not installed/ }])
})

const receiver = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('bound', flush=True)
while True: print(s.recv(4096).decode().replace('\\n', '|'), flush=True)
`
const runs = (program: string) => !spawnSync(program, ['--version']).error
const skip = runs('python3') && runs('systemd-notify') ? false : 'systemd-notify and python3 are not here'

t.test('a gateway and the real systemd-notify', { skip }, async t => {
  const socket = join(await folderFor(t), 'notify')
  const python = spawn('python3', ['-c', receiver, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => python.kill())
  const heard: string[] = []
  createInterface(python.stdout).on('line', line => void (line.startsWith('BARRIER') || heard.push(line)))
  await until(() => heard.includes('bound'))
  const settings = {
    ...{ publicUrl: 'https://desk.example.com', listen: '127.0.0.1:0', desk: { url: 'http://127.0.0.1:9' } },
    providers: [{ id: 'p', type: 'jwt', name: 'P', loginUrl: 'https://p.example.com/', secrets: ['x'.repeat(40)] }],
    ...{ agents: [{ any: true }], ops: { listen: '127.0.0.1:0' }, drain: '6s' },
  }
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '200000' }
  const gateway = await startGateway(settings, { env })
  await until(() => heard.some(line => line.startsWith('READY=1|STATUS=Listening on http://127.0.0.1:')))
  await until(() => heard.includes('WATCHDOG=1'))
  gateway.child.kill('SIGHUP')
  await until(() => heard.includes('READY=1|STATUS=Configuration reloaded'))
  t.ok(
    heard.findIndex(line => line.startsWith('RELOADING=1|')) < heard.indexOf('READY=1|STATUS=Configuration reloaded'),
  )
  await writeFile(gateway.file, JSON.stringify({ ...settings, nonsense: 1 }))
  gateway.child.kill('SIGHUP')
  await until(() => heard.some(line => line.startsWith('READY=1|STATUS=Configuration rejected')))
  const ended = gateway.stop()
  await until(() => heard.includes('STOPPING=1|STATUS=Draining'))
  t.equal(await ended, 0)
  const said = gateway.lines.map(({ msg }) => msg)
  const steps = ['draining', 'new connections refused, waiting for open requests', 'shutdown complete']
  t.strictSame(
    said.filter(msg => steps.includes(msg ?? '')),
    steps,
  )
  t.notOk(said.includes('systemd could not be notified'))
})
