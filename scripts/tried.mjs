// What the scripts that try an installation share: one row after the other, the table of what was seen, its place in a page,
// and the small checks of the rows.

import { readFileSync, writeFileSync } from 'node:fs'

export const print = line => process.stdout.write(`${line}\n`)

/** Throws what was seen in place of what a row expects. */
export function must(isSo, what) {
  if (!isSo) throw new Error(what)
}

export const seconds = since => `${((Date.now() - since) / 1000).toFixed(1)} s`

export const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Waits for a condition for so many seconds, asking every so many milliseconds, and returns what it gave. */
export async function until(what, test, wait = 30, every = 100) {
  for (const end = Date.now() + wait * 1000; Date.now() < end; ) {
    const found = await test()
    if (found) return found
    await pause(every)
  }
  throw new Error(`not within ${wait} s: ${what}`)
}

/**
 * Runs rows { name, does } in their order, each on `place`, and prints each as it is done. A row throws when it saw something
 * else than it should, which makes the process fail, and returns what it saw; undefined leaves it out. `recover` is called
 * after a row that failed, so that the next one finds what it expects. Returns the table.
 */
export async function tryRows(rows, place, recover = async () => {}) {
  const lines = ['| what was done | what was seen |', '| --- | --- |']
  for (const { name, does } of rows) {
    const seen = await does(place).catch(async error => {
      process.exitCode = 1
      await recover(place)
      return `**failed**: ${error.message.replaceAll('\n', ' ')}`
    })
    if (seen === undefined) continue
    lines.push(`| ${name} | ${seen} |`)
    print(lines.at(-1))
  }
  return lines.join('\n')
}

/** Puts a table between the marks of a page. */
export function writeInto(page, table) {
  const text = readFileSync(page, 'utf8')
  const marks = /(<!-- seen: [^>]*-->\n)[\s\S]*(<!-- end of seen -->)/
  if (!marks.test(text)) throw new Error(`${page} has no place for the table`)
  writeFileSync(
    page,
    text.replace(marks, (_all, head, tail) => `${head}\n${table}\n${tail}`),
  )
}
