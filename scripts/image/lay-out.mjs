// Lays out what the image adds to its base: node scripts/image/lay-out.mjs, in a built checkout with the packages that
// production needs. out/packages has those packages without what only their authors and compilers use, out/program has
// Deskgate. Every file has one time and one mode, so that two builds of a commit are the same bytes.

import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'

/** Folders of this name in a package's own folder, unless its package.json names a file in them. */
const forAuthors = /^(\..*|tests?|test-.*|__tests__|specs?|fixtures|docs?|examples?|bench(marks?)?|perf|integration)$/i
/** What Node loads, and what has to be shipped with it. */
const code = /\.([cm]?js|json|node|wasm)$/
const licence = /^(un)?(licen[cs]e|notice|copying|authors|patents)/i
const settings = /^(\..*|[a-z-]+\.config\.[cm]?js|tsconfig.*\.json|package-lock\.json)$/i

const entries = folder => readdirSync(folder, { withFileTypes: true })

/** Every file that a package.json names: main, exports, imports, bin. */
function named(value) {
  if (typeof value === 'string') return [value.replace(/^\.\//, '')]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(named) : []
}

/** @type {import('./lay-out.d.mts').isForAuthors} */
export function isForAuthors(folder, { main, exports, imports, bin }) {
  return forAuthors.test(folder) && !named([main, exports, imports, bin]).some(file => file.startsWith(`${folder}/`))
}

/** Copies the code of a folder, at any depth; a package inside it by its own rules. Whether there was any. */
function copyCode(from, to) {
  let copied = false
  for (const entry of entries(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.name === 'node_modules') copyPackages(source, target)
    else if (entry.isDirectory()) copied = copyCode(source, target) || copied
    else if (entry.isFile() && code.test(entry.name)) {
      cpSync(source, target)
      copied = true
    }
  }
  return copied
}

/** A package without code has only types: it is left out. */
function copyPackage(from, to) {
  const about = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'))
  let hasCode = false
  for (const entry of entries(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.name === 'node_modules') copyPackages(source, target)
    else if (entry.isDirectory()) {
      if (!isForAuthors(entry.name, about)) hasCode = copyCode(source, target) || hasCode
    } else if (entry.name === 'package.json' || licence.test(entry.name)) cpSync(source, target)
    else if (entry.isFile() && code.test(entry.name) && !settings.test(entry.name)) {
      cpSync(source, target)
      hasCode = true
    }
  }
  if (!hasCode) rmSync(to, { recursive: true, force: true })
}

/** @type {import('./lay-out.d.mts').copyPackages} */
export function copyPackages(from, to) {
  for (const entry of entries(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue
    if (entry.name.startsWith('@')) copyPackages(source, target)
    else if (existsSync(join(source, 'package.json'))) copyPackage(source, target)
  }
  if (existsSync(to) && readdirSync(to).length === 0) rmdirSync(to)
}

/** The umask of a checkout and the time of a build do not belong to a commit. Folders last: their content changes them. */
function settle(path, seconds) {
  const isFolder = lstatSync(path).isDirectory()
  if (isFolder) for (const name of readdirSync(path)) settle(join(path, name), seconds)
  chmodSync(path, isFolder ? 0o755 : 0o644)
  lutimesSync(path, seconds, seconds)
}

function main() {
  const seconds = Number(process.env.SOURCE_DATE_EPOCH || 0)
  if (!Number.isSafeInteger(seconds)) throw new Error(`SOURCE_DATE_EPOCH is ${process.env.SOURCE_DATE_EPOCH}`)
  const [packages, program] = ['out/packages/app', 'out/program/app']
  rmSync('out', { recursive: true, force: true })
  mkdirSync(program, { recursive: true })
  copyPackages('node_modules', join(packages, 'node_modules'))
  for (const name of ['dist', 'package.json', 'LICENSE']) cpSync(name, join(program, name), { recursive: true })
  settle('out', seconds)
}

if (process.argv[1] === import.meta.filename) main()
