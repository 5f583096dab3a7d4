// npm run build: compiles src into an empty dist, and says how far it is. With --if-changed it builds only when the sources,
// the compiler's settings or the lock file are others than those that dist was built from.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const inputs = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json']
/** A copy of the sources may come without it. */
const optional = new Set(['package-lock.json'])

/** Changes with every name and byte of what dist is built from. */
export function fingerprint(folder = root) {
  const sources = readdirSync(join(folder, 'src'), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
  const present = inputs.filter(name => !optional.has(name) || existsSync(join(folder, name)))
  const files = [...present.map(name => join(folder, name)), ...sources.sort()]
  const hash = createHash('sha256')
  for (const file of files) {
    const bytes = readFileSync(file)
    hash.update(`${file.slice(folder.length)}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest('hex')
}

/** Whether dist was built from what is here, and to its end. */
export function isBuilt(folder = root) {
  const kept = join(folder, 'dist/.built-from')
  return (
    existsSync(join(folder, 'dist/main.js')) && existsSync(kept) && readFileSync(kept, 'utf8') === fingerprint(folder)
  )
}

/** What runs in browsers is shipped as it is written. */
export function copyScripts(folder = root, dist = join(folder, 'dist')) {
  const [from, to] = [join(folder, 'src'), dist].map(name => join(name, 'web/pages/browser'))
  cpSync(from, to, { recursive: true, filter: name => !/\.(json|ts)$/.test(name) })
}

/** On stderr: stdout belongs to what runs afterwards. */
const say = text => process.stderr.write(`${text}\n`)

function compile() {
  // Run by npm, the path has the compiler; run by hand, it is where npm installs it.
  const local = join(root, 'node_modules/typescript/bin/tsc')
  const [command, ...first] = existsSync(local) ? [process.execPath, local] : ['tsc']
  const compiler = spawn(command, [...first, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
  return new Promise(resolve => {
    compiler.on('close', code => resolve(code ?? 1))
  })
}

async function main() {
  if (process.argv.includes('--if-changed') && isBuilt()) return
  const startedAt = Date.now()
  const seconds = () => Math.round((Date.now() - startedAt) / 1000)
  say('Building Deskgate from its sources; this takes a moment ...')
  const progress = setInterval(() => say(`  still building (${seconds()} s)`), 5_000)
  const before = fingerprint()
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  const code = await compile()
  clearInterval(progress)
  if (code !== 0) {
    process.exitCode = code
    return
  }
  copyScripts()
  // Last, so that a build that was broken off is built again.
  writeFileSync(join(root, 'dist/.built-from'), before)
  say(`Built in ${seconds()} s.`)
}

if (process.argv[1] === import.meta.filename) await main()
