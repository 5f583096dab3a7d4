// npm run test:image: builds the image twice, runs it by the commands of docs/install.md in every way that the page names,
// starts compose.yaml and logs in, releases into a registry on this host, prints a table of what was seen, and removes it.
// With --write the table goes into the page. For a host with docker or podman whose ports 8080 and 8081 are free.

import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { openGuides, sh } from '../marked-blocks.mjs'
import { print, tryRows, writeInto } from '../tried.mjs'
import { findEngine } from './build.mjs'
import { rows } from './rows.mjs'

const page = 'docs/install.md'
const guides = openGuides('test:image')
/** For a network of its own, or a proxy: `--network=host`. */
const buildOptions = process.env.BUILD_OPTIONS ?? ''

const isFree = port =>
  new Promise(resolve => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })

/** Why this host cannot run it; undefined when it can. */
async function obstacle(engine) {
  if (!engine) return 'neither docker nor podman answers'
  for (const port of [8080, 8081]) if (!(await isFree(port))) return `port ${port} is in use`
  const there = sh(`${engine} ps --all --format '{{.Names}}'`).stdout.split('\n')
  const ours = there.filter(name => /^deskgate([-_]|$)/.test(name))
  return ours.length > 0 ? `there are containers of this name: ${ours.join(', ')}` : undefined
}

/** `docker compose` with either engine; undefined when there is none. */
function composeOf(engine) {
  const all = engine === 'docker' ? ['docker compose'] : [process.env.COMPOSE, 'podman-compose', 'podman compose']
  return all.filter(Boolean).find(words => sh(`${words} version`).status === 0)
}

function createHost({ engine, folder }) {
  const compose = composeOf(engine)
  const asDocker = `docker() { case "$1" in
  compose) shift; ${compose ?? 'false'} "$@";;
  build) shift; ${engine} build ${buildOptions} "$@";;
  *) ${engine} "$@";;
esac; }
sudo() { ${process.getuid?.() === 0 ? '"$@"' : 'command sudo "$@"'}; }
cd ${folder}/checkout
`
  const env = { ...process.env, NO_COLOR: '1', BUILDAH_FORMAT: 'docker' }
  const endings = []
  const run = words => sh(`${asDocker}${words}`, { env })
  return {
    engine,
    compose,
    folder,
    /** What is done when all is over. */
    ends: ending => endings.push(ending),
    end: () => endings.map(ending => ending()),
    buildOptions: buildOptions.split(' ').filter(Boolean),
    /** A command in the checkout; `docker` is the engine that is there. */
    run,
    /** The block of the page with these words, as it stands, and its run. */
    text: (words, from = page) => guides.block(from, words),
    block: words => run(guides.block(page, words)),
    start: words => spawn('/bin/sh', ['-ec', `${asDocker}${words}`], { env, stdio: 'ignore' }),
    engineRun: (args, options) => spawnSync(engine, args, { encoding: 'utf8', maxBuffer: 64e6, ...options }),
    engineOutput(args) {
      const { status, stdout, stderr } = spawnSync(engine, args, { encoding: 'utf8', maxBuffer: 64e6 })
      if (status !== 0) throw new Error(`${engine} ${args.join(' ')}: ${stderr}`)
      return stdout
    },
    inspect: (what, format) => run(`docker inspect --format '${format}' ${what}`).stdout.trim(),
    logs: name => {
      const { stdout, stderr } = run(`docker logs ${name}`)
      return stdout + stderr
    },
    /** The configuration of the page, with a Desk that is there, in the folder that is mounted. */
    configure(more, file = 'etc/deskgate.yaml') {
      const settings = { ...parse(guides.block(page, 'publicUrl:')), sessions: {}, drain: '6s', ...more }
      writeFileSync(join(folder, 'checkout', file), stringify(settings))
    },
    secrets: () => run(guides.block(page, 'openssl rand')),
    /** On a connection of its own; status 0 when there is no answer. */
    ask: (path, port = 8080) =>
      new Promise(resolve => {
        const options = { host: '127.0.0.1', port, path, agent: false, headers: { host: 'desk.example.com' } }
        get(options, async answer => {
          const body = (await answer.setEncoding('utf8').toArray()).join('')
          resolve({ status: answer.statusCode, body })
        }).on('error', error => resolve({ status: 0, body: String(error) }))
      }),
  }
}

function remove(host) {
  host.end()
  for (const name of ['deskgate', 'deskgate-desk']) host.run(`docker rm --force --volumes ${name} || true`)
  if (host.compose) host.run('docker compose down --volumes || true')
  rmSync(host.folder, { recursive: true, force: true })
}

async function main() {
  const engine = findEngine()
  const reason = await obstacle(engine)
  if (reason) {
    print(`test:image is skipped: ${reason}`)
    return
  }
  const host = createHost({ engine, folder: mkdtempSync(join(tmpdir(), 'deskgate-try-')) })
  let table
  try {
    table = await tryRows(rows, host)
    guides.allRan()
  } finally {
    remove(host)
  }
  const [version] = sh(`${engine} --version`).stdout.split('\n')
  const { version: release } = JSON.parse(readFileSync('package.json', 'utf8'))
  const on = `Deskgate ${release}, ${version}.`
  print(on)
  if (process.argv.includes('--write')) writeInto(page, `${table}\n\n${on}\n`)
}

await main()
