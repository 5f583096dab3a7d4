// The command line as an operator has it: a process of its own, what it says, and its exit code.

import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

export interface CommandResult {
  code: number | null
  stdout: string
  stderr: string
}

export interface CommandOptions {
  env?: Record<string, string>
  /** The working folder. */
  folder?: string
}

/** Starts `deskgate …` from the sources; end it by its own handle. Only the variables given are set. */
export function spawnDeskgate(args: string[], { env = {}, folder = root }: CommandOptions = {}): ChildProcess {
  const { PATH = '', HOME = '' } = process.env
  const tsx = import.meta.resolve('tsx')
  const command = ['--import', tsx, join(root, 'src/main.ts'), ...args]
  return spawn(process.execPath, command, {
    cwd: folder,
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Runs a command that ends by itself. */
export async function runDeskgate(args: string[], options?: CommandOptions): Promise<CommandResult> {
  const child = spawnDeskgate(args, options)
  const [stdout, stderr] = [textOf(child.stdout), textOf(child.stderr)]
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  return { code, stdout: stdout(), stderr: stderr() }
}

function textOf(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = []
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString('utf8')
}
