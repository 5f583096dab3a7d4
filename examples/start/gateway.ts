// Deskgate itself, as an operator runs it: `deskgate serve --config deskgate.yaml`. Only the addresses in
// the file differ, where other ports are needed.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Running } from './desk.js'

export interface Ports {
  gateway: number
  idp: number
  desk: number
  ops: number
}

export interface GatewayOptions {
  /** The example's: deskgate.yaml and agents.yaml. */
  example: string
  /** For its configuration. */
  folder: string
  ports: Ports
  /** PEM of the identity provider. */
  certificate: string
  jwtSecret: string
  /** The desk's folder: the Authorization header for its list of users may be there. */
  deskFolder: string
}

const root = join(import.meta.dirname, '../..')

/** The ports that the files are written with. */
export const usual: Ports = { gateway: 8080, idp: 8081, desk: 8082, ops: 9090 }

/** Resolves with the file that it runs by once it listens; rejects when it ends before. What is amiss it says on stderr. */
export async function startGateway(options: GatewayOptions): Promise<Running & { file: string }> {
  const file = await writeConfiguration(options)
  const { PATH = '', HOME = '' } = process.env
  const command = ['--import', import.meta.resolve('tsx'), join(root, 'src/main.ts'), 'serve', '--config', file]
  const child = spawn(process.execPath, command, { env: { PATH, HOME }, stdio: ['ignore', 'pipe', 'inherit'] })
  const end = () => void child.kill('SIGKILL')
  process.once('exit', end)
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await ended
    process.removeListener('exit', end)
  }
  const listening = new Promise<void>((resolve, reject) => {
    createInterface(child.stdout).on('line', line => line.includes('"msg":"listening"') && resolve())
    ended.then(code => reject(new Error(`the gateway has ended with ${code}`)))
  })
  await listening
  return { file, ended, stop }
}

async function writeConfiguration(options: GatewayOptions): Promise<string> {
  const { example, folder, ports, certificate, jwtSecret, deskFolder } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const text = await readFile(join(example, 'deskgate.yaml'), 'utf8')
  const file = join(folder, 'deskgate.yaml')
  await writeFile(file, withPorts(text, ports))
  await writeFile(join(folder, 'idp.crt'), certificate)
  await writeFile(join(folder, 'jwt-secret'), jwtSecret, { mode: 0o600 })
  await writeFile(join(folder, 'ops-token'), randomBytes(32).toString('base64url'), { mode: 0o600 })
  await copyFile(join(example, 'agents.yaml'), join(folder, 'agents.yaml'))
  const token = join(deskFolder, 'directory-token')
  if (existsSync(token)) await copyFile(token, join(folder, 'directory-token'))
  return file
}

/** The file's text with other ports in its addresses. */
function withPorts(text: string, ports: Ports): string {
  const names = new Map(Object.entries(usual).map(([name, port]) => [String(port), name as keyof Ports]))
  return text.replace(/(?<=(?:localhost|127\.0\.0\.1):)\d+/g, port => {
    const name = names.get(port)
    return name === undefined ? port : String(ports[name])
  })
}
