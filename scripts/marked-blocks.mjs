// The commands of the guides for a script that runs them word for word on a host of its own. A mark above a block names the
// script: <!-- run by: npm run test:image -->.

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { print } from './tried.mjs'

/** Runs a command by a shell that ends at the first failure. */
export const sh = (command, options = {}) =>
  spawnSync('/bin/sh', ['-ec', command], { encoding: 'utf8', maxBuffer: 64e6, ...options })

const fences = /^( *)(?:<!-- run by: npm run (\S+) -->\n *)?```\w+\n([\s\S]*?)^ *```$/gm
const blocksOf = page =>
  [...readFileSync(page, 'utf8').matchAll(fences)].map(([, indent, runBy, body]) => {
    return { page, runBy, text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), '') }
  })

/**
 * `block` is the text of the block of a page with these words. `allRan` makes the process fail for a block whose mark names
 * this script, and that it has not asked for.
 */
export function openGuides(script) {
  const pages = ['README.md', ...readdirSync('docs', { recursive: true }).map(name => `docs/${name}`)]
  const blocks = pages.filter(name => name.endsWith('.md')).flatMap(blocksOf)
  const asked = new Set()
  return {
    block(page, words) {
      const found = blocks.find(block => block.page === page && block.text.includes(words))
      if (!found) throw new Error(`${page} has no block with ${words}`)
      asked.add(found)
      return found.text
    },
    allRan() {
      for (const block of blocks.filter(block => block.runBy === script && !asked.has(block))) {
        process.exitCode = 1
        print(`**not run**: ${block.page}: ${block.text}`)
      }
    },
  }
}
