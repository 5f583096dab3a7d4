// A shell in which the commands of the guides run as they stand: `deskgate` is the program from the sources.

import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { CommandResult } from './command.js'

const root = join(import.meta.dirname, '../..')

export interface Shell {
  /** Where the commands run. */
  folder: string
  /** With its path, for what continues running. */
  env: Record<string, string>
  /** Every line of a block; ends at the first that fails. */
  run(block: string): Promise<CommandResult>
}

/** `files` by name in the folder. `tools`: scripts that come before the machine's programs. Removed with the test. */
export async function openShell(
  t: Test,
  files: Record<string, string>,
  tools: Record<string, string> = {},
): Promise<Shell> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-shell-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const bin = await mkdtemp(join(tmpdir(), 'deskgate-bin-'))
  t.teardown(() => rm(bin, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 })
  const node = (words: string) => `#!/bin/sh\nexec '${process.execPath}' ${words} "$@"\n`
  await tool('deskgate', node(`--import '${import.meta.resolve('tsx')}' '${join(root, 'src/main.ts')}'`))
  // For machines without: the last on the path.
  await tool('curl', node(`'${join(import.meta.dirname, 'curl.mjs')}'`))
  const first = await mkdtemp(join(tmpdir(), 'deskgate-tools-'))
  t.teardown(() => rm(first, { recursive: true, force: true }))
  for (const [name, script] of Object.entries(tools)) await tool(name, script, first)

  async function tool(name: string, script: string, at = bin) {
    await writeFile(join(at, name), script)
    await chmod(join(at, name), 0o755)
  }

  const { PATH = '', HOME = '' } = process.env
  const env = { PATH: `${first}:${PATH}:${bin}`, HOME }
  return {
    folder,
    env,
    run: block =>
      new Promise(resolve => {
        execFile('/bin/sh', ['-e', '-c', block], { cwd: folder, env, timeout: 120_000 }, (error, stdout, stderr) => {
          const code = error ? (typeof error.code === 'number' ? error.code : null) : 0
          resolve({ code, stdout, stderr })
        })
      }),
  }
}
