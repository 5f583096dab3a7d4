// What stands behind every gateway of the measurement: an nginx with pages of three sizes and a sink for uploads, and an
// echo of WebSocket messages.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../test/parts/ports.js'
import { otherCores } from './machine.js'
import { nginxConfiguration } from './nginx-configuration.js'
import { nodeArguments, type Program, startProgram } from './program.js'

export interface Desk {
  port: number
  /** Of the WebSocket echo. */
  echoPort: number
  stop(): Promise<void>
}

/** Bytes by path. */
export const pages = { small: 1024, medium: 64 * 1024, large: 10 * 1024 * 1024 } as const

export async function startDesk(folder: string): Promise<Desk> {
  const [port, echoPort] = [await freePort(), await freePort()]
  await mkdir(join(folder, 'www'), { recursive: true })
  for (const [name, size] of Object.entries(pages)) await writeFile(join(folder, 'www', name), 'x'.repeat(size))
  const file = join(folder, 'desk.conf')
  const server = [
    `listen 127.0.0.1:${port};`,
    `root ${folder}/www; default_type text/plain; client_max_body_size 0;`,
    // As a Desk would: it takes the whole upload before it answers.
    `location /upload { proxy_pass http://127.0.0.1:${port}/taken; proxy_request_buffering on; }`,
    'location /taken { return 200 "taken\\n"; }',
  ]
  await writeFile(file, nginxConfiguration(folder, 'desk', server.join('\n')))
  const programs: Program[] = [
    await startProgram('nginx', ['-c', file], { port, cores: otherCores }),
    await startProgram(
      process.execPath,
      [...nodeArguments(join(import.meta.dirname, 'programs/echo.ts')), `${echoPort}`],
      { port: echoPort, cores: otherCores },
    ),
  ]
  return { port, echoPort, stop: async () => void (await Promise.all(programs.map(one => one.stop()))) }
}
