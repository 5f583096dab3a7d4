// Which parts the chosen tests need: those that a test file asks for (by missingParts and its like), or one of the files of
// test/ that it imports. It reads the files, so that no test has to say it twice.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parts } from './parts.mjs'

/** Where a part is named: in a call that looks for it, or as the part of a sample program. */
const asks = /\b(?:missingParts|programPath|find|isThere)\(([^)]*)\)|\bpart: ('[a-z0-9-]+')/g
/** Of values: a type needs nothing. */
const imports = /^(?:import(?! type)[^;']*? from|import) '(\.[^']+)\.js'/gm
const names = new Set(parts.map(({ name }) => name))

/** @type {import('./needed-parts.mjs').neededParts} */
export function neededParts(files, root = join(import.meta.dirname, '..')) {
  const needed = new Set()
  const seen = new Set()
  const read = file => {
    if (seen.has(file) || !existsSync(file)) return
    seen.add(file)
    const text = readFileSync(file, 'utf8')
    for (const [, call = '', property = ''] of text.matchAll(asks)) {
      for (const [, name] of `${call}${property}`.matchAll(/'([a-z0-9-]+)'/g)) {
        if (name === 'redis') needed.add('redis-server')
        else if (names.has(name)) needed.add(name)
      }
    }
    for (const [, target] of text.matchAll(imports)) {
      const imported = `${resolve(dirname(file), target)}.ts`
      if (imported.startsWith(`${root}/test/`)) read(imported)
    }
  }
  for (const file of files) read(resolve(root, file))
  return parts.filter(({ name }) => needed.has(name))
}
