#!/usr/bin/env node
// The entry point: reads argv and the environment, runs one command, and sets the exit code.

import { readFileSync } from 'node:fs'
import { CommanderError } from 'commander'
import type { Io } from './cli/io.js'

// A reload right after the start must not end the gateway while its modules load: serve sets the real listener.
if (process.argv[2] === 'serve') process.on('SIGHUP', () => {})
const { createProgram } = await import('./cli/program.js')

const io: Io = {
  env: process.env,
  out: line => process.stdout.write(`${line}\n`),
  err: line => process.stderr.write(`${line}\n`),
  ...(process.stdin.isTTY ? { terminal: { input: process.stdin, output: process.stderr } } : {}),
}

// A reader that closes the pipe (`| head`) is not an error: nothing more is written, and the exit code stays.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

const program = createProgram({
  io,
  version,
  done(code) {
    process.exitCode = code
  },
})

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version are not errors; everything else that commander throws is a usage error.
    process.exitCode = error.exitCode === 0 ? 0 : 2
  } else {
    io.err(`deskgate: ${(error as Error).message}`)
    process.exitCode = 1
  }
}
