// What stands behind every gateway of the measurement: an nginx with pages of three sizes and a sink for uploads, and an
// echo of WebSocket messages. One of its doors answers nobody without the identity, so that every request under load
// is a check that the gateway has sent it.

import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../test/parts/ports.js'
import { otherCores } from './machine.js'
import { compiled, type Program, startProgram } from './peer.js'
import { nginxConfiguration } from './servers.js'

export interface Desk {
  /** Takes everybody. */
  openPort: number
  /** 403 without the agent of the measurement. */
  agentPort: number
  /** What the pages hold: SHA-256 in hex, by name. */
  digests: Record<string, string>
  stop(): Promise<void>
}

/** Bytes by path. */
export const pages = { small: 1024, medium: 64 * 1024, large: 10 * 1024 * 1024 } as const

/** Who is logged in everywhere; where there are many sessions, the agents are called agent-0@example.com and so on. */
export const email = 'ada@example.com'

export async function startDesk(folder: string): Promise<Desk> {
  const [openPort, agentPort, echoPort] = [await freePort(), await freePort(), await freePort()]
  await mkdir(join(folder, 'www'), { recursive: true })
  const digests: Record<string, string> = {}
  for (const [name, size] of Object.entries(pages)) {
    const content = randomBytes(size)
    digests[name] = createHash('sha256').update(content).digest('hex')
    await writeFile(join(folder, 'www', name), content)
  }
  const file = join(folder, 'desk.conf')
  const doors = `
map "$http_x_agent_email$http_x_forwarded_email" $stranger { default yes; "${email}" ""; "~^agent-\\d+@example.com$" ""; }
sendfile on; tcp_nopush on; open_file_cache max=10;
server { listen 127.0.0.1:${agentPort}; if ($stranger) { return 403; } ${inside(folder, openPort, echoPort)} }`
  const open = `listen 127.0.0.1:${openPort}; ${inside(folder, openPort, echoPort)}`
  await writeFile(file, nginxConfiguration(folder, 'desk', open, doors))
  const echo = [...(await compiled(folder, 'echo')), `${echoPort}`]
  const programs: Program[] = [
    await startProgram('nginx', ['-c', file], { port: openPort, cores: otherCores }),
    await startProgram(process.execPath, echo, { port: echoPort, cores: otherCores }),
  ]
  const stop = async () => void (await Promise.all(programs.map(one => one.stop())))
  return { openPort, agentPort, digests, stop }
}

function inside(folder: string, port: number, echoPort: number): string {
  return `root ${folder}/www; default_type application/octet-stream; client_max_body_size 0;
location = /seen { return 200 "$http_x_agent_email$http_x_forwarded_email\\n$http_x_agent_assertion\\n"; }
# As a Desk would: it takes the whole upload before it answers, with the number of bytes that came.
location = /upload { client_body_buffer_size 11m; proxy_request_buffering on; proxy_pass_request_body off;
  proxy_set_header Content-Length ""; proxy_set_header X-Length $request_length; proxy_pass http://127.0.0.1:${port}/taken; }
location = /echo { proxy_pass http://127.0.0.1:${echoPort}; proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
location = /taken { return 200 "$http_x_length\\n"; }`
}
