// The fenced blocks of every guide, and which of them no test can run. Such a block has a comment above it:
// <!-- run by: npm run test:image --> names what runs it on a host of its own, <!-- not run: needs Traefik --> says that
// nothing does. It only reads.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

export interface Block {
  page: string
  /** Of the fence. */
  line: number
  language: string
  /** Without the indentation of its fence. */
  text: string
  /** Why nothing runs it. */
  needs: string | undefined
  /** What runs it, in place of a test: `test:image`. */
  runBy: string | undefined
}

/** Every page of Markdown by its path; the history of changes is none. */
export function guidePages(): string[] {
  const inFolders = ['docs', 'examples', 'helm', 'bench', 'compose', 'config', 'test'].flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(name => `${folder}/${name}`),
  )
  const all = [...readdirSync(root), ...inFolders]
  return all.filter(name => name.endsWith('.md') && name !== 'CHANGELOG.md').sort()
}

export function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8')
  const fences = /^( *)(?:<!-- (?:not run: needs (.+)|run by: npm run (.+)) -->\n *)?```([^\n]*)\n([\s\S]*?)^ *```$/gm
  return [...text.matchAll(fences)].map(
    ({ 0: whole, 1: indent = '', 2: needs, 3: runBy, 4: language = '', 5: body = '', index }) => ({
      page,
      line: text.slice(0, index + whole.indexOf('```')).split('\n').length,
      language,
      text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      needs,
      runBy,
    }),
  )
}

/** The commands of a block, one each, with what a backslash continues. Of a transcript: what stands after `$ `. */
export function commandsOf({ language, text }: Block): string[] {
  const lines = text.replaceAll(/\\\n\s*/g, '').split('\n')
  if (language === 'console') return lines.filter(line => line.startsWith('$ ')).map(line => line.slice(2))
  return lines.map(line => line.trim()).filter(line => line !== '')
}

/** What stands as `code` in the running text and begins with one of these programs. */
export function inlineCommands(page: string, programs: readonly string[]): string[] {
  const text = readFileSync(join(root, page), 'utf8').replaceAll(/^ *```[\s\S]*?^ *```$/gm, '')
  const found = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
  return [...new Set(found.filter(code => programs.includes(code.split(' ')[0] ?? '') && code.includes(' ')))]
}
