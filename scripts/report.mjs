// Reads the test runner's TAP as it comes: a line for each file, each failure in full, and the count. It counts tests
// (the named ones of a file), not assertions; a file that crashed, or holds no test at all, counts as a failure.

import { Parser } from 'tap-parser'
import { stringify } from 'yaml'

/** How the runner started a file: of no use to who reads a failure. */
const noise = new Set([
  'stdio',
  'cwd',
  'externalID',
  'command',
  'args',
  'jobId',
  'tapCaught',
  'test',
  'isToplevel',
  'typeName',
])

/**
 * @param {(text: string) => void} print
 * @returns {{ parser: Parser, end: (exitCode: number | null) => { passed: number, failed: number, skipped: number } }}
 */
export function createReport(print) {
  const count = { passed: 0, failed: 0, skipped: 0 }
  const parser = new Parser()
  let file = newFile('')

  parser.on('child', child => {
    const opened = newFile(child.name)
    file = opened
    child.on('assert', result => {
      opened[outcomeOf(result)]++
      if (result.skip) opened.skips.push(`${result.name}: ${result.skip}`)
    })
    child.on('extra', text => opened.printed.push(text))
    listen(child, [], failure => opened.failures.push(failure))
  })
  parser.on('assert', result => {
    if (file.name !== result.name) file = newFile(result.name)
    closeFile(file, result)
    for (const outcome of ['passed', 'failed', 'skipped']) count[outcome] += file[outcome]
    print(textOf(file, result))
    file = newFile('')
  })
  parser.on('bailout', reason => {
    count.failed++
    print(`the run was given up: ${reason}\n`)
  })

  return {
    parser,
    end(exitCode) {
      if (exitCode !== 0 && count.failed === 0) {
        count.failed++
        print(`the test runner ended with ${exitCode ?? 'a signal'}, but no test failed\n`)
      }
      if (count.passed + count.failed + count.skipped === 0) {
        count.failed++
        print('no test ran\n')
      }
      return count
    },
  }
}

function newFile(name) {
  return { name, passed: 0, failed: 0, skipped: 0, failures: [], skips: [], printed: [] }
}

function outcomeOf({ ok, skip, todo }) {
  if (skip || todo) return 'skipped'
  return ok ? 'passed' : 'failed'
}

/** Finds the failures at the leaves: a test that only failed because of one inside it says nothing new. */
function listen(parser, path, failure) {
  let inside = false
  parser.on('child', child => {
    inside = false
    listen(child, [...path, child.name], found => {
      inside = true
      failure(found)
    })
  })
  parser.on('assert', result => {
    if (outcomeOf(result) === 'failed' && !inside) failure({ path: [...path, result.name], diag: result.diag })
    inside = false
  })
}

/** What the file's own line adds to its tests. */
function closeFile(file, result) {
  const outcome = outcomeOf(result)
  if (outcome === 'failed' && file.failed === 0) return fail(file, 'the file failed outside its tests', result.diag)
  if (file.passed + file.failed + file.skipped > 0) return
  if (outcome === 'skipped' && result.skip !== 'no tests found') file.skipped++
  else fail(file, 'the file holds no test', undefined)
}

function fail(file, why, diag) {
  file.failed++
  file.failures.push({ path: [why], diag })
}

function textOf(file, result) {
  const time = result.time === undefined ? '' : `, ${Math.round(result.time)} ms`
  const others = `${file.failed ? `, ${file.failed} failed` : ''}${file.skipped ? `, ${file.skipped} skipped` : ''}`
  const skips = file.skips.map(skip => `     ~ ${skip}\n`).join('')
  const line = `${file.failed ? 'FAIL' : ' ok '} ${file.name} (${file.passed} passed${others}${time})\n${skips}`
  if (file.failed === 0) return line
  const output = file.printed.length === 0 ? '' : `\n  printed:\n${indent(file.printed.join(''), 4)}\n`
  return line + file.failures.map(textOfFailure).join('') + output
}

function textOfFailure({ path, diag }) {
  const left = Object.entries(diag ?? {}).filter(([key, value]) => !noise.has(key) && value !== null)
  const detail = left.length === 0 ? '' : indent(stringify(Object.fromEntries(left), { lineWidth: 0 }), 4)
  return `\n  ✖ ${path.join(' › ')}\n${detail}\n`
}

function indent(text, spaces) {
  return text.trimEnd().replace(/^/gm, ' '.repeat(spaces))
}
