// A real nginx, Caddy or HAProxy with the configuration of its page in docs/fronts: only addresses, ports and the paths of
// certificates are replaced. Its own process on free loopback ports, ended by its own pid.

import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Leaf } from './certificates.js'
import { type ChildProgram, startProgram } from './child-process.js'
import { openGuide } from './guide.js'
import { freePort } from './ports.js'
import { programPath } from './required-parts.js'
import { until } from './wait-until.js'

export type FrontName = 'caddy' | 'haproxy' | 'nginx'

export interface Front {
  /** Of TLS, and of plain HTTP. */
  port: number
  plainPort: number
  /** What it has said so far. */
  output(): string
  stop(): Promise<void>
}

export interface FrontPlan {
  /** Of the gateways on 127.0.0.1 and on 127.0.0.2, and of their probes. */
  gatewayPort: number
  probesPort: number
  tls: Pick<Leaf, 'cert' | 'key'>
}

interface Place {
  folder: string
  port: number
  plainPort: number
}

interface Kind {
  /** The page's block becomes this file. */
  file: string
  /** What the page has → what runs here. */
  replaced(place: Place): [string, string][]
  /** Further files, by name. */
  more?(place: Place): Record<string, string>
  command(folder: string): string[]
}

const kinds: Record<FrontName, Kind> = {
  nginx: {
    file: 'deskgate.conf',
    replaced: ({ port, plainPort }) => [
      ['listen 80;', `listen 127.0.0.1:${plainPort};`],
      ['listen [::]:80;', `listen 127.0.0.2:${plainPort};`],
      ['listen 443 ssl', `listen 127.0.0.1:${port} ssl`],
      ['listen [::]:443 ssl', `listen 127.0.0.2:${port} ssl`],
    ],
    more: ({ folder }) => ({ 'nginx.conf': nginxMain(folder) }),
    command: folder => [programPath('nginx'), '-c', join(folder, 'nginx.conf'), '-p', folder, '-e', 'stderr'],
  },
  haproxy: {
    file: 'haproxy.cfg',
    replaced: ({ port, plainPort }) => [
      ['bind :80\n', `bind 127.0.0.1:${plainPort}\n`],
      ['bind :443 ssl', `bind 127.0.0.1:${port} ssl`],
    ],
    command: folder => [programPath('haproxy'), '-db', '-f', join(folder, 'haproxy.cfg')],
  },
  caddy: {
    file: 'Caddyfile',
    replaced: ({ port, plainPort, folder }) => [
      [
        '{\n',
        `{\n\tadmin off\n\tdefault_bind 127.0.0.1\n\thttps_port ${port}\n\thttp_port ${plainPort}\n\tstorage file_system ${folder}\n`,
      ],
    ],
    command: folder => [programPath('caddy'), 'run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'],
  },
}

/** What Debian's nginx.conf has around the files of conf.d, as far as it matters here. */
function nginxMain(folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const inHttp = [
    'access_log off;',
    ...temporary.map(name => `${name}_temp_path ${folder}/${name};`),
    `include ${folder}/deskgate.conf;`,
  ]
  return `daemon off;\npid ${folder}/nginx.pid;\nworker_processes 1;\nevents {}\nhttp {\n${inHttp.join('\n')}\n}\n`
}

/** The page's configuration with other addresses. Throws when the page has not what is replaced. */
function frontConfiguration(name: FrontName, place: Place, { gatewayPort, probesPort }: FrontPlan): string {
  const [text = '', ...others] = openGuide(`docs/fronts/${name}.md`).all(name === 'caddy' ? 'caddyfile' : name)
  if (others.length > 0) throw new Error(`the page of ${name} has more than one configuration`)
  const own = (file: string) => join(place.folder, file)
  const replaced: [string, string][] = [
    ...kinds[name].replaced(place),
    ...['127.0.0.1', '127.0.0.2'].map((host): [string, string] => [`${host}:8080`, `${host}:${gatewayPort}`]),
    ...(name === 'nginx' ? [] : [['port 9091', `port ${probesPort}`] as [string, string]]),
    ...(name === 'haproxy'
      ? [['/etc/haproxy/certs/desk.example.com.pem', own('both.pem')] as [string, string]]
      : ['fullchain.pem', 'privkey.pem'].map((file): [string, string] => [
          `/etc/ssl/desk.example.com/${file}`,
          own(file),
        ])),
  ]
  let changed = text
  for (const [from, to] of replaced) {
    if (!changed.includes(from)) throw new Error(`the configuration of ${name} has no ${from}`)
    changed = changed.replace(from, to)
  }
  return changed
}

export async function startFront(name: FrontName, plan: FrontPlan): Promise<Front> {
  const folder = await mkdtemp(join(tmpdir(), `deskgate-${name}-`))
  // As root nginx works as another user, in folders below this one.
  await chmod(folder, 0o755)
  const place = { folder, port: await freePort(), plainPort: await freePort() }
  const kind = kinds[name]
  const files = {
    'fullchain.pem': plan.tls.cert,
    'privkey.pem': plan.tls.key,
    'both.pem': plan.tls.cert + plan.tls.key,
    ...kind.more?.(place),
    [kind.file]: frontConfiguration(name, place, plan),
  }
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text, { mode: 0o600 })
  const home = join(folder, 'home')
  await mkdir(home)
  const { PATH = '' } = process.env
  const running = startProgram(kind.command(folder), { cwd: folder, env: { PATH, HOME: home } })
  await untilListening(running, name, [place.port, place.plainPort])
  return {
    port: place.port,
    plainPort: place.plainPort,
    output: running.output,
    async stop() {
      // nginx's workers end with their parent, but not after SIGKILL.
      running.kill('SIGTERM')
      await running.exitCode
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function untilListening(running: ChildProgram, name: string, ports: readonly number[]): Promise<void> {
  let over = false
  running.exitCode.then(() => {
    over = true
  })
  for (const port of ports) {
    await until(async () => {
      if (over) throw new Error(`${name} ended:\n${running.output()}`)
      return accepts(port)
    }, 30_000)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => resolve(false))
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
