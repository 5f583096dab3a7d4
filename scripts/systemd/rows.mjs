// What scripts/systemd/try.mjs does to the service, one row each, in this order. A row throws when it saw something else
// than the page says, and returns what it saw.

import { must, pause, seconds } from '../tried.mjs'

const serves = host => async () => (await host.ask('/')).status === 200
const restarts = host => Number(host.show('NRestarts').NRestarts)

/** Waits until another process serves in the place of `before`. */
const replaced = (host, before, wait) =>
  host.until(
    'another process serves',
    async () => {
      const now = host.pid()
      return now > 0 && now !== before && (await serves(host)())
    },
    wait,
  )

async function restartWith(host, settings) {
  host.configure(settings)
  const { status, stderr } = host.sh('systemctl restart deskgate')
  must(status === 0, stderr)
}

async function install(host) {
  const began = Date.now()
  const { status, stdout, stderr } = host.run('systemctl enable --now')
  must(status === 0, `${stderr}${host.journal(began)}`)
  must(/Status: "Listening on/.test(stdout), stdout)
  must(await serves(host)(), 'it does not answer')
  const { ActiveState, SubState, Type } = host.show('ActiveState', 'SubState', 'Type')
  must(ActiveState === 'active', ActiveState)
  const listed = host.run('sessions list')
  must(listed.status === 0, listed.stderr)
  return `${ActiveState} (${SubState}, Type=${Type}) and answering after ${seconds(began)}; the commands ask it`
}

async function reloadsAtOnce(host) {
  must(host.sh('systemctl restart deskgate').status === 0, 'restart failed')
  const [pid, count] = [host.pid(), restarts(host)]
  for (let turn = 0; turn < 10; turn++) must(host.run('systemctl reload').status === 0, `reload ${turn} failed`)
  must(await host.until('it serves', serves(host)), '')
  must(host.pid() === pid && restarts(host) === count, 'another process')
  return 'ten succeed, the same process serves'
}

/** By hand, without systemctl reload, which waits for READY. Before Node runs the program, SIGHUP ends every Node. */
async function hangupsWhileItStarts(host) {
  const count = restarts(host)
  const old = host.pid()
  host.sh('systemctl restart --no-block deskgate')
  await host.until('the old one is gone', () => ![0, old].includes(host.pid()), 60)
  const began = Date.now()
  await host.until('it catches SIGHUP', () => host.catchesHangup(host.pid()))
  const took = seconds(began)
  for (let turn = 0; turn < 10; turn++) {
    host.sh('systemctl kill --signal=HUP --kill-who=main deskgate')
    await pause(20)
  }
  await host.until('it is active', () => host.show('ActiveState').ActiveState === 'active')
  must(restarts(host) === count, `${restarts(host) - count} restarts`)
  return `ten SIGHUP before it is ready end nothing, once Node has started (${took})`
}

async function brokenAtReload(host) {
  const [began, pid] = [Date.now(), host.pid()]
  host.breakFile()
  const { status } = host.run('systemctl reload')
  must(status !== 0, 'the reload succeeds')
  must(/deskgate\.yaml:\d+:\d+ nonsense/.test(host.journal(began)), host.journal(began))
  await host.until('/ready has it', async () => (await host.ask('/ready', 9090)).body.includes('"config":"rejected"'))
  must(host.pid() === pid && (await serves(host)()), 'it does not serve')
  return '`systemctl reload` fails, file, line and column are in the journal, the same process serves'
}

async function brokenAtCheckedRestart(host) {
  const pid = host.pid()
  const { status, stderr } = host.run('&& systemctl restart')
  must(status !== 0 && /nonsense/.test(stderr), stderr)
  must(host.pid() === pid && (await serves(host)()), 'it does not serve')
  return '`check` fails, nothing is restarted'
}

async function brokenAtStart(host) {
  const began = Date.now()
  const { status } = host.sh('systemctl restart deskgate')
  must(status !== 0, 'the restart succeeds')
  must(/deskgate\.yaml:\d+:\d+ nonsense/.test(host.journal(began)), host.journal(began))
  host.configure({})
  const fixed = Date.now()
  await host.until('it serves', serves(host))
  return `\`systemctl restart\` fails, the journal says why; ${seconds(fixed)} after the file is fixed it serves`
}

async function killed(host) {
  const [began, pid] = [Date.now(), host.pid()]
  process.kill(pid, 'SIGKILL')
  await replaced(host, pid)
  return `another process serves after ${seconds(began)}`
}

async function stopped(host) {
  host.override('WatchdogSec=6')
  must(host.sh('systemctl restart deskgate').status === 0, 'restart failed')
  const [quiet, first] = [Date.now(), host.pid()]
  await pause(15_000)
  must(host.pid() === first, `restarted while it lives: ${host.journal(quiet)}`)
  const began = Date.now()
  process.kill(first, 'SIGSTOP')
  await replaced(host, first, 60)
  must(/[Ww]atchdog timeout/.test(host.journal(began)), host.journal(began))
  return `with \`WatchdogSec=6\`: 15 s of rest change nothing; stopped, another process serves after ${seconds(began)}`
}

async function fullDisk(host) {
  host.sh('systemctl stop deskgate; mkdir -p /var/log/private/deskgate')
  const mounted = host.sh('mount -t tmpfs -o size=64k,mode=700 tmpfs /var/log/private/deskgate')
  must(mounted.status === 0, mounted.stderr)
  const began = Date.now()
  await restartWith(host, { audit: { to: '/var/log/deskgate/audit.log' } })
  const refuse = () => host.ask('/api/sessions', 9090, { authorization: 'Bearer wrong' })
  must((await refuse()).status === 401, 'no 401')
  must(host.sh('grep -c admin_refused /var/log/private/deskgate/audit.log').status === 0, 'no audit line')
  host.sh(`cd /var/log/private/deskgate; cat /dev/zero > full || true
head -c $((4096 - $(stat --format %s audit.log) % 4096)) /dev/zero | tr '\\0' '\\n' >> audit.log`)
  await refuse()
  must(await serves(host)(), 'it does not serve')
  await host.until('the journal has the line', () => /could not be written/.test(host.journal(began)))
  must(/ENOSPC/.test(host.journal(began)), 'no ENOSPC')
  host.sh('rm /var/log/private/deskgate/full')
  await refuse()
  await host.until('the journal has the end', () => /audit log writable again/.test(host.journal(began)))
  host.sh('systemctl stop deskgate; umount /var/log/private/deskgate')
  await restartWith(host, { audit: { to: 'stdout' } })
  return 'it serves; the journal has the lines with `ENOSPC`, and says when the file can be written again'
}

async function drained(host) {
  const began = Date.now()
  const slow = host.ask('/slow')
  await pause(300)
  // Not host.sh, which would stop Desk, too: it is in this process.
  const ended = new Promise(resolve => host.start('systemctl', ['stop', 'deskgate']).once('close', resolve))
  must((await ended) === 0, 'stop failed')
  const took = seconds(began)
  const { status, body } = await slow
  must(status === 200, `the open request got ${status} ${body}`)
  const journal = host.journal(began)
  for (const words of ['"msg":"draining"', 'waiting for open requests', 'shutdown complete'])
    must(journal.includes(words), `no ${words}: ${journal}`)
  must(host.show('Result').Result === 'success', 'Result')
  must(host.sh('systemctl start deskgate').status === 0, 'start failed')
  return `with \`drain: 6s\` it ends after ${took}, an open request of 3 s gets its 200; the journal has all three steps`
}

async function withWorkers(host) {
  if (host.sh('command -v redis-server').status !== 0) return 'not seen: redis-server is not installed here'
  const redis = host.start('redis-server', ['--port', '6390', '--save', '', '--appendonly', 'no'])
  const began = Date.now()
  try {
    await restartWith(host, { workers: 2, sessions: { store: 'redis://127.0.0.1:6390' } })
    const main = host.pid()
    must(/2 workers/.test(host.show('StatusText').StatusText), host.show('StatusText').StatusText)
    const workers = () => host.sh(`pgrep --parent ${main} --full main.js`).stdout.trim().split('\n').map(Number)
    for (let turn = 0; turn < 10; turn++) must(host.run('systemctl reload').status === 0, 'reload failed')
    await host.until('reloaded', () => /Reloaded/.test(host.show('StatusText').StatusText))
    const [victim] = workers()
    const halted = Date.now()
    process.kill(victim, 'SIGSTOP')
    await host.until('another worker', () => workers().length === 2 && !workers().includes(victim), 60)
    const took = seconds(halted)
    await host.until('it listens', () => host.journal(halted).includes('worker listening'))
    must(host.pid() === main && (await serves(host)()), 'the first process was replaced')
    const ended = Date.now()
    must(host.sh('systemctl stop deskgate').status === 0, 'stop failed')
    const done = host.journal(ended).match(/shutdown complete/g)?.length
    must(done === 3, `${done} processes say that they are done: ${host.journal(ended)}`)
    return `\`READY\` when both listen, ten reloads; a worker under SIGSTOP is replaced after ${took}; all three processes log their end`
  } catch (error) {
    throw new Error(`${error.message} ${host.journal(began).slice(-2000)}`)
  } finally {
    redis.kill()
  }
}

export const rows = [
  { name: 'the commands of this page', does: install },
  { name: 'ten `systemctl reload` right after a start', does: reloadsAtOnce },
  { name: 'ten SIGHUP by hand while it starts', does: hangupsWhileItStarts },
  { name: 'a broken file, reload', does: brokenAtReload },
  { name: 'a broken file, `check` and restart as above', does: brokenAtCheckedRestart },
  { name: 'a broken file, restart without `check`', does: brokenAtStart },
  { name: 'SIGKILL', does: killed },
  { name: 'SIGSTOP', does: stopped },
  { name: 'a full disk under the audit file', does: fullDisk },
  { name: '`systemctl stop` with a request open', does: drained },
  { name: 'two workers', does: withWorkers },
]
