// A guide as its test sees it: the blocks of commands that have to run, by some of their words, and which of them the test
// has not asked for.

import type { Test } from 'tap'
import { type Block, blocksOf } from '../../scripts/guides.js'

export interface Guide {
  /** The text of the one block of commands with these words. Throws when there is none, or more than one. */
  commandBlock(words: string): string
  /** The texts of all blocks of a language that no mark excepts. */
  all(language: string): string[]
  /** Fails for each block of commands that was not asked for, and has no mark that says what it needs or what runs it. */
  everyBlockRan(t: Test): void
}

/** Of these a test runs every line. */
export const shells = ['sh', 'console']

export function openGuide(page: string): Guide {
  const blocks = blocksOf(page).filter(({ needs, runBy }) => needs === undefined && runBy === undefined)
  const commands = blocks.filter(({ language }) => shells.includes(language))
  const asked = new Set<Block>()
  return {
    commandBlock(words) {
      const [found, ...more] = commands.filter(({ text }) => text.includes(words))
      if (!found || more.length > 0) throw new Error(`${page}: not one block of commands holds ${words}`)
      asked.add(found)
      return found.text
    },
    all: language => blocks.filter(block => block.language === language).map(({ text }) => text),
    everyBlockRan(t) {
      const left = commands.filter(block => !asked.has(block)).map(({ line, text }) => `${page}:${line}\n${text}`)
      t.strictSame(left, [], `${page}: every command runs, or has a mark that says what it needs`)
    },
  }
}
