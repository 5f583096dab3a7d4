// What scripts/image/try.mjs does to the image, one row each, in this order. A row throws when it saw something else than
// the page says, and returns what it saw.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must, pause, seconds, until } from '../tried.mjs'
import { buildArgs, settleImage } from './build.mjs'
import { loggedIn } from './login.mjs'
import { refusedReleases, released } from './release-rows.mjs'

const megabytes = bytes => `${(bytes / 1e6).toFixed(1)} MB`
/** Runs the health check of the image in the container, as its engine does. */
function live(host) {
  const [, ...command] = JSON.parse(host.inspect('deskgate', '{{json .Config.Healthcheck.Test}}'))
  // It ends well when it is asked to end: a timeout kills it.
  const { status } = host.engineRun(['exec', 'deskgate', ...command], { timeout: 6000, killSignal: 'SIGKILL' })
  return status === 0
}
const serves = host => async () => (await host.ask('/')).status === 200
const gone = host => host.run('docker rm --force deskgate')
const about = () => JSON.parse(readFileSync('package.json', 'utf8'))
const base = () => /^ARG BASE=(\S+)$/m.exec(readFileSync('Dockerfile', 'utf8'))[1]
const epoch = 1_700_000_000

/** Another checkout of the same files, in another folder and under another umask. */
function layCheckout({ run, folder }, name, umask) {
  mkdirSync(join(folder, name))
  const files = 'git ls-files -z --cached --others --exclude-standard'
  const packed =
    run(`cd ${process.cwd()}; umask ${umask}; ${files} | tar --null --files-from - --create --ignore-failed-read \
    | tar --extract --no-same-permissions --directory ${folder}/${name}`)
  must(packed.status === 0, packed.stderr)
}

function buildOnce(host, name, more) {
  const tag = `localhost/deskgate-${name}:try`
  const how = { engine: host.engine, about: about(), revision: 'a'.repeat(40), epoch, base: base(), tag }
  const args = buildArgs({ ...how, more: [...host.buildOptions, ...more] }).map(word => `'${word}'`)
  const built = host.run(`cd ../${name}; BUILDX_NO_DEFAULT_ATTESTATIONS=1 ${host.engine} ${args.join(' ')}`)
  must(built.status === 0, built.stderr.slice(-2000))
  if (host.engine === 'podman') settleImage(tag, host.engineOutput)
  return { tag, digest: host.inspect(tag, host.engine === 'podman' ? '{{.Digest}}' : '{{.Id}}') }
}

async function twoBuilds(host) {
  layCheckout(host, 'checkout', '022')
  layCheckout(host, 'another', '077')
  const first = buildOnce(host, 'checkout', [])
  const second = buildOnce(host, 'another', ['--no-cache'])
  must(first.digest === second.digest, `${first.digest} and ${second.digest}`)
  Object.assign(host, { tag: first.tag, base: base() })
  return `one digest, ${first.digest.slice(0, 19)}…`
}

async function size(host) {
  const [all, below] = [host.tag, base()].map(name => Number(host.inspect(name, '{{.Size}}')))
  must(all - below <= 35e6, megabytes(all - below))
  return `${megabytes(all - below)} over a base of ${megabytes(below)}`
}

/** Runs a program of Node in the image, without anything that serve needs. */
const inside = (host, script) =>
  host.run(`docker run --rm --network none --entrypoint node ${host.tag} -e '${script}'`).stdout.trim()

async function content(host) {
  const odd = inside(
    host,
    `const names = require("fs").readdirSync("/app", { recursive: true });
const odd = names.filter(name => /\\.(map|tsx?|[cm]ts|md|markdown)$|\\/(tests?|docs?)$/.test(name) && !/licen[cs]e|dist|\\/lib\\//i.test(name));
console.log(names.length, odd.join(" "))`,
  )
  must(/^\d+$/.test(odd), odd)
  return `none among ${odd} files and folders`
}

async function labels(host) {
  const read = name => host.inspect(host.tag, `{{index .Config.Labels "org.opencontainers.image.${name}"}}`)
  must(read('version') === about().version, read('version'))
  must(read('revision') === 'a'.repeat(40), read('revision'))
  must(read('created') === new Date(epoch * 1000).toISOString().replace('.000', ''), read('created'))
  must(read('base.name') === base(), read('base.name'))
  const names = ['title', 'description', 'licenses', 'version', 'revision', 'created', 'ref.name', 'base.name']
  must(names.every(read), names.filter(name => !read(name)).join())
  return names.map(name => `\`${name}\``).join(', ')
}

/** Desk answers in a container beside it, from the same image. */
function startDesk(host) {
  const desk =
    'require("http").createServer((q, r) => setTimeout(() => r.end("desk"), q.url === "/slow" ? 3000 : 0)).listen(3000)'
  const { status, stderr } = host.run(
    `docker run --detach --name deskgate-desk --entrypoint node ${host.tag} -e '${desk}'`,
  )
  must(status === 0, stderr)
  const address = host.inspect('deskgate-desk', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')
  return { url: `http://${address}:3000`, public: ['GET /', 'GET /slow'] }
}

async function byThePage(host) {
  host.desk = startDesk(host)
  host.secrets()
  writeFileSync(join(host.folder, 'checkout/secrets/portal'), 'a shared secret of the provider, of 32 bytes and more\n')
  host.configure({ desk: host.desk }, 'deskgate.yaml')
  const prepared = host.block('docker build')
  must(prepared.status === 0, prepared.stderr.slice(-2000))
  const started = host.block('docker run')
  must(started.status === 0, started.stderr.slice(-2000))
  const began = Date.now()
  await until(`it serves: ${host.logs('deskgate')}`, serves(host))
  const took = seconds(began)
  const commands = host.block('docker exec')
  must(commands.status === 0, `${commands.stdout}${commands.stderr}`)
  must(!/"level":"(warn|error|fatal)"|^warning/m.test(host.logs('deskgate')), host.logs('deskgate'))
  return `it serves ${took} after its start; \`check --online\` and \`sessions list\` end with 0`
}

async function health(host) {
  must(live(host), 'it is not healthy')
  if (host.engine === 'podman')
    must(host.run('podman healthcheck run deskgate').status === 0, 'podman healthcheck run fails')
  const halted = host.run('docker kill --signal STOP deskgate')
  must(halted.status === 0, halted.stderr)
  const healthy = live(host)
  host.run('docker kill --signal CONT deskgate')
  must(!healthy, 'it is healthy while it is stopped')
  await until('it is healthy again', () => live(host))
  return 'healthy; not under SIGSTOP; healthy again after it'
}

async function reload(host) {
  must((await host.ask('/new')).status === 401, 'a path that is not public yet')
  host.configure({ desk: { ...host.desk, public: [...host.desk.public, 'GET /new'] } })
  await until('the path is public', async () => (await host.ask('/new')).status === 200)
  host.configure({ desk: host.desk })
  await until('it is not any more', async () => (await host.ask('/new')).status === 401)
  return 'read again without a restart'
}

async function drained(host) {
  const began = Date.now()
  const slow = host.ask('/slow')
  await pause(300)
  const ended = new Promise(resolve => host.start('docker stop deskgate').once('close', resolve))
  must((await ended) === 0, 'stop failed')
  const took = seconds(began)
  const { status, body } = await slow
  must(status === 200, `the open request got ${status} ${body}`)
  const logs = host.logs('deskgate')
  for (const words of ['"msg":"draining"', 'waiting for open requests', 'shutdown complete'])
    must(logs.includes(words), logs)
  const code = host.inspect('deskgate', '{{.State.ExitCode}}')
  must(code === '0', `exit code ${code}`)
  return `with \`drain: 6s\` it ends after ${took} with exit code 0; an open request of 3 s gets its 200`
}

/** The page's `docker run` with other words in it. */
function startAs(host, from, to) {
  gone(host)
  const command = host.text('docker run')
  must(command.includes(from), `the page has no ${from}`)
  const { status, stderr } = host.run(command.replace(from, to))
  must(status === 0, stderr)
}

async function otherUser(host) {
  host.run('sudo chmod -R a+rX etc')
  startAs(host, '--cap-drop', '--user 12345:12345 --cap-drop')
  await until(`it serves: ${host.logs('deskgate')}`, serves(host))
  const user = host.run('docker exec deskgate node -p "process.getuid()"').stdout.trim()
  must(user === '12345', user)
  return 'it serves as user 12345, who can read the folder'
}

async function readOnly(host) {
  const tmpfs =
    host.engine === 'docker'
      ? ['--read-only --tmpfs /tmp', '--read-only']
      : ['--read-only', '--read-only --read-only-tmpfs=false']
  const seen = []
  for (const words of tmpfs) {
    startAs(host, '--read-only', words)
    await until(`it serves: ${host.logs('deskgate')}`, serves(host))
    const write = "docker exec deskgate node -e \"require('fs').writeFileSync('/tmp/x', '')\""
    seen.push(host.run(write).status === 0)
  }
  must(seen[0] && !seen[1], `/tmp can be written: ${seen}`)
  return 'it serves with a `/tmp` that can be written, and without one'
}

const lineWith = (text, words) =>
  text
    .split('\n')
    .find(line => line.includes(words))
    ?.trim()

async function ended(host, name) {
  await until('it has ended', () => host.inspect(name, '{{.State.Running}}') === 'false')
  return { code: host.inspect(name, '{{.State.ExitCode}}'), logs: host.logs(name) }
}

async function unreadable(host) {
  host.run('sudo chown -R 0:0 etc; sudo chmod 700 etc')
  startAs(host, '--restart unless-stopped', '')
  const { code, logs } = await ended(host, 'deskgate')
  host.run('sudo chown -R 10001:10001 etc')
  must(code !== '0' && /deskgate\.yaml\S* \(file\): cannot be read by user 10001/.test(logs), logs)
  return `exit code ${code}, and the log: \`${lineWith(logs, '(file)')}\``
}

async function unmounted(host) {
  gone(host)
  const { status, stdout, stderr } = host.run(`docker run --rm ${host.tag}`)
  must(status !== 0 && /deskgate\.yaml\S* \(file\): does not exist/.test(stderr), `${stdout}${stderr}`)
  return `exit code ${status}, and the log: \`${lineWith(stderr, '(file)')}\``
}

export const rows = [
  { name: 'two builds of the same files, in folders of another name and umask', does: twoBuilds },
  { name: 'size', does: size },
  { name: 'types, source maps, documents and tests of packages', does: content },
  { name: 'labels', does: labels },
  { name: 'the commands of this page', does: byThePage },
  { name: 'the health check', does: health },
  { name: 'a changed file', does: reload },
  { name: '`docker stop` with a request open', does: drained },
  { name: 'another user', does: otherUser },
  { name: 'a read-only root', does: readOnly },
  { name: 'a folder that user 10001 cannot read', does: unreadable },
  { name: 'no folder', does: unmounted },
  { name: '`docker compose up`', does: loggedIn },
  { name: '`npm run release` into a registry on this host', does: released },
  { name: 'releases that are refused', does: refusedReleases },
]
