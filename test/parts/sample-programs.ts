// Runs the sample programs of examples/ with the language that is installed, as a reader would.

import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PartName } from '../../scripts/parts.mjs'
import { programPath } from './required-parts.js'

export interface Sample {
  /** Below examples/. */
  file: string
  /** What it needs; nothing: Node alone. */
  part?: PartName
}

export interface ProgramResult {
  code: number
  out: string
  said: string
  /** It was given up: a compiler on a loaded machine. */
  late: boolean
}

const examples = join(import.meta.dirname, '../../examples')
/** Milliseconds; less than what a test file has. */
const timeLimit = 90_000

/** Settles when it has ended. `env` is all that it sees, beside what its language needs to start. */
export async function runSample(sample: Sample, args: string[], env: Record<string, string>): Promise<ProgramResult> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-sample-'))
  const { PATH = '', HOME = folder } = process.env
  try {
    let ran: ProgramResult = { code: 255, out: '', said: '', late: false }
    for (const [command = '', ...rest] of await commandsOf(sample, args, folder)) {
      ran = await spawnProgram(command, rest, { PATH, HOME, LANG: 'C.UTF-8', ...env })
      if (ran.code !== 0) break
    }
    return ran
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What to run, one after the other. */
async function commandsOf({ file, part }: Sample, args: string[], folder: string): Promise<string[][]> {
  const path = join(examples, file)
  if (part === undefined) return [[process.execPath, path, ...args]]
  const main = programPath(part)
  if (part === 'go') return [[main, 'run', path, ...args]]
  if (part === 'mono') {
    const made = join(folder, 'sample.exe')
    return [
      [main, `-out:${made}`, path],
      ['mono', made, ...args],
    ]
  }
  if (part !== 'dotnet') return [[main, path, ...args]]
  const project = `<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><OutputType>Exe</OutputType>
<TargetFramework>net8.0</TargetFramework><RollForward>Major</RollForward></PropertyGroup></Project>`
  await writeFile(join(folder, 'sample.csproj'), project)
  await copyFile(path, join(folder, 'Program.cs'))
  return [[main, 'run', '--project', folder, '--', ...args]]
}

function spawnProgram(command: string, args: string[], env: Record<string, string>): Promise<ProgramResult> {
  return new Promise(resolve => {
    execFile(command, args, { env, timeout: timeLimit }, (error, out, said) => {
      const code = error ? (typeof error.code === 'number' ? error.code : 255) : 0
      resolve({ code, out: out.trim(), said: said.trim(), late: error?.killed === true })
    })
  })
}
