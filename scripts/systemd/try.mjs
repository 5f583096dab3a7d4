// npm run test:systemd: installs the service by the commands of docs/systemd.md, breaks it in every way that the page names,
// prints a table of what was seen, and removes it. With --write the table goes into the page. For a host without Deskgate.

import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, get } from 'node:http'
import { parse, stringify } from 'yaml'
import { openGuides, sh } from '../marked-blocks.mjs'
import { print, tryRows, until, writeInto } from '../tried.mjs'
import { rows } from './rows.mjs'

const page = 'docs/systemd.md'
const config = '/etc/deskgate/deskgate.yaml'
/** What this run makes and removes: it never starts where one of these is there. */
const made = [
  '/etc/systemd/system/deskgate.service',
  '/etc/deskgate',
  '/opt/deskgate/deskgate.yaml',
  '/opt/deskgate/secrets',
]

const guides = openGuides('test:systemd')

/** Why this host cannot run it; undefined when it can. */
function obstacle() {
  if (!existsSync('/run/systemd/system')) return 'systemd is not the first process of this host'
  if (process.getuid?.() !== 0) return 'it needs root'
  if (process.cwd() !== '/opt/deskgate') return 'the checkout has to be in /opt/deskgate, where the unit looks for it'
  if (!existsSync('dist/main.js')) return 'the project is not built: npm run build'
  const there = made.filter(path => existsSync(path))
  if (there.length > 0) return `Deskgate is installed here already (${there.join(', ')}); this run would remove it`
  return undefined
}

/** A Desk that answers /slow after three seconds. */
function startDesk() {
  const desk = createServer(({ url }, response) => setTimeout(() => response.end('desk'), url === '/slow' ? 3000 : 0))
  return new Promise(resolve => desk.listen(0, '127.0.0.1', () => resolve(desk)))
}

function createHost(desk) {
  const first = {
    ...parse(guides.block('docs/install.md', 'publicUrl:')),
    desk: { url: `http://127.0.0.1:${desk.address().port}`, public: ['/*'] },
    sessions: {},
    drain: '6s',
  }
  const settings = { ...first }
  const show = (...names) =>
    Object.fromEntries(
      sh(`systemctl show deskgate --property ${names.join(',')}`)
        .stdout.trim()
        .split('\n')
        .map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
  return {
    sh,
    show,
    first,
    /** The block of the page with these words, as it stands. */
    run: words => sh(guides.block(page, words)),
    pid: () => Number(show('MainPID').MainPID),
    journal: since => sh(`journalctl --unit deskgate --output cat --since '@${since / 1000}'`).stdout,
    /** Writes the configuration in place, so that its owner and mode stay. */
    configure(more, file = config) {
      Object.assign(settings, more)
      writeFileSync(file, stringify(settings))
    },
    breakFile: () => writeFileSync(config, `${stringify(settings)}nonsense: 1\n`),
    /** A setting of the unit, as `systemctl edit --runtime` would set it. */
    override(text) {
      sh(`mkdir -p /run/systemd/system/deskgate.service.d
printf '[Service]\\n${text}\\n' > /run/systemd/system/deskgate.service.d/try.conf; systemctl daemon-reload`)
    },
    /** On a connection of its own; status 0 when there is no answer. */
    ask: (path, port = 8080, headers = {}) =>
      new Promise(resolve => {
        const options = {
          host: '127.0.0.1',
          port,
          path,
          agent: false,
          headers: { host: 'desk.example.com', ...headers },
        }
        get(options, async answer => {
          const body = (await answer.setEncoding('utf8').toArray()).join('')
          resolve({ status: answer.statusCode, body })
        }).on('error', error => resolve({ status: 0, body: String(error) }))
      }),
    catchesHangup(pid) {
      const [, caught = '0'] = /SigCgt:\s*(\w+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
      return (BigInt(`0x${caught}`) & 1n) === 1n
    },
    until,
    start: (program, args) => spawn(program, args, { stdio: 'ignore' }),
  }
}

function prepare(host) {
  execFileSync('/bin/sh', ['-ec', guides.block('docs/install.md', 'openssl rand')])
  writeFileSync('secrets/portal', 'a shared secret of the provider, of 32 bytes and more\n', { mode: 0o600 })
  host.configure({}, 'deskgate.yaml')
}

/** Each by itself: what is not there stops nothing. */
function remove() {
  for (const command of [
    'systemctl disable --now deskgate',
    'umount /var/log/private/deskgate',
    `rm -rf ${made.join(' ')} /run/systemd/system/deskgate.service.d /var/log/deskgate /var/log/private/deskgate`,
    'groupdel deskgate-config',
    'systemctl daemon-reload',
  ]) {
    sh(command)
  }
}

async function main() {
  const reason = obstacle()
  if (reason) {
    print(`test:systemd is skipped: ${reason}`)
    return
  }
  const desk = await startDesk()
  const host = createHost(desk)
  let table = ''
  try {
    prepare(host)
    table = await tryRows(rows, host)
    guides.allRan()
  } finally {
    remove()
    desk.close()
  }
  const { stdout } = sh('systemctl --version')
  const on = `Node ${process.versions.node}, ${stdout.split('\n')[0]}`
  print(on)
  if (process.argv.includes('--write')) writeInto(page, `${table}\n\nOn ${on}.\n`)
}

await main()
