// The words that operators read: the guides, and every text in the source that a person may see, keep to the word list and
// to the width of a page. A word that belongs here is one that made readers stop: old private names, and idioms.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { guidePages } from '../../scripts/guides.js'

const root = join(import.meta.dirname, '../..')
const pages = [...new Set([...guidePages(), 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', ...under('docs', '.md')])]
const sources = under('src', '.ts')

/** What is not written, and what is written instead. */
const words: [RegExp, string][] = [
  [/\bwho(?:m)?ever\b/i, 'anyone who'],
  [/(?:^|[.:;] )who (?:is|was|has|may|can|could|comes|leaves) [^?]*\.$/i, 'a noun before who'],
  [/\bmend(?:s|ed|ing)?\b/i, 'fix'],
  [/\bheed(?:s|ed|ing)?\b/i, 'honour, follow'],
  [/\b(?:has|have|had) run out\b|\bruns? out\b|\bran out\b/i, 'has expired, expires'],
  [/(?<!\bthere )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b)/i, 'is not a, invalid, unknown'],
  [/\bbeliev(?:e|es|ed|ing)\b/i, 'trust, accept'],
  [/\b(?:goes|went) on\b|\bserves on\b/i, 'continues, keeps'],
  [/\bcome this way\b|\bways? in\b(?! which)/i, 'log in, login'],
  [/\bstands? (?:beside|here twice)\b/i, 'cannot be combined with, duplicate'],
  [/\bare not meant\b/i, 'are not affected'],
  [/\bdossiers?\b/i, 'report of a refused login'],
  [/\bhand-?overs?\b/i, 'callback'],
  [/\bending waits\b|\bthe endings\b|\ban ending\b|(?:^|\*\*)endings\b/i, 'revocation'],
  [/\b(?:berths?|shel(?:f|ves)|tellers?|bereft|entrance|street)\b/i, 'the usual word'],
  [/\bget(?:s)? no further\b/i, 'is stopped'],
]

const faultsOf = (text: string) =>
  words.flatMap(([word, instead]) => {
    const found = word.exec(text)
    return found ? [`"${found[0].trim()}": write ${instead}`] : []
  })

t.test('the word list finds what it is for, and leaves plain sentences alone', async t => {
  for (const text of [
    'Whoever is logged in goes on',
    'the certificate has run out',
    'is no duration',
    'an empty list is never believed',
    'Mend the file',
    'have it heed ForceAuthn',
    'an ending waits for the session store',
    'domain may come this way',
    'stands beside metadata',
    'Who is not logged in gets no further.',
  ]) {
    t.not(faultsOf(text).length, 0, text)
  }
  for (const text of [
    'There is no provider with this issuer.',
    'there is no longer a session',
    'it is no longer valid',
    'Who did what?',
    'Anyone who reaches Desk can write a header',
    'the recommended setting',
    'out of memory',
  ]) {
    t.same(faultsOf(text), [], text)
  }
})

t.test('the guides keep to the word list, and to lines of 110 characters', async t => {
  for (const page of pages) {
    const faults: string[] = []
    for (const { line, number } of prose(readFileSync(join(root, page), 'utf8'))) {
      // The table of old and new log messages quotes the old ones.
      if (!(page === 'CHANGELOG.md' && line.startsWith('|'))) {
        faults.push(...faultsOf(withoutCode(line)).map(fault => `${page}:${number} ${fault}`))
      }
      const breakable = withoutCode(line).trim().includes(' ') && !line.startsWith('|')
      if (breakable && line.length > 110) faults.push(`${page}:${number} has ${line.length} characters`)
    }
    t.same(faults, [], page)
  }
})

t.test('messages, hints, help and pages keep to the word list', async t => {
  for (const path of sources) {
    t.same(
      textsOf(path).flatMap(({ text, number }) => faultsOf(text).map(fault => `${path}:${number} ${fault}`)),
      [],
      path,
    )
  }
  for (const path of [
    'helm/deskgate/values.yaml',
    'helm/deskgate/alerts/alerts.yaml',
    'helm/deskgate/templates/NOTES.txt',
  ]) {
    const lines = readFileSync(join(root, path), 'utf8').split('\n')
    t.same(
      lines.flatMap((line, index) => faultsOf(line).map(fault => `${path}:${index + 1} ${fault}`)),
      [],
      path,
    )
  }
})

t.test(
  'a log message begins with a noun phrase: no article, no pronoun, no sentence that must be read to its end',
  async t => {
    let seen = 0
    for (const path of sources) {
      for (const { message, number } of logMessagesOf(path)) {
        seen++
        t.notMatch(message, /^(?:an?|the|this|that|it|there|who|what|some|of|in|from|to) /i, `${path}:${number}`)
      }
    }
    t.ok(seen > 40, `${seen} log messages`)
  },
)

function under(folder: string, end: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith(end))
    .map(path => join(folder, path))
}

/** Lines outside of fenced blocks and of comments. */
function prose(text: string): { line: string; number: number }[] {
  let fenced = false
  return text.split('\n').flatMap((line, index) => {
    if (/^\s*```/.test(line)) {
      fenced = !fenced
      return []
    }
    return fenced || line.startsWith('<!--') ? [] : [{ line, number: index + 1 }]
  })
}

/** What stands between backticks is quoted: a setting, a header, a message of another program. */
function withoutCode(line: string): string {
  return line.replace(/`[^`]*`/g, '``')
}

function parse(path: string): ts.SourceFile {
  return ts.createSourceFile(path, readFileSync(join(root, path), 'utf8'), ts.ScriptTarget.Latest, true)
}

function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node
  for (const child of node.getChildren()) yield* nodesOf(child)
}

/** Texts with at least two words; names, styles and paths are none. */
function textsOf(path: string): { text: string; number: number }[] {
  const file = parse(path)
  return [...nodesOf(file)]
    .filter(node => ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
    .map(node => ({ text: (node as ts.LiteralLikeNode).text, number: lineOf(file, node) }))
    .filter(({ text }) => /[a-z] [a-z]/i.test(text))
}

function logMessagesOf(path: string): { message: string; number: number }[] {
  const file = parse(path)
  return [...nodesOf(file)].flatMap(node => {
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return []
    const { name, expression } = node.expression
    if (!/^(?:debug|info|warn|error)$/.test(name.text) || !/\blog$/.test(expression.getText(file))) return []
    const last = node.arguments.at(-1)
    const choices = last && ts.isConditionalExpression(last) ? [last.whenTrue, last.whenFalse] : [last]
    return choices.flatMap(one =>
      one && ts.isStringLiteralLike(one) ? [{ message: one.text, number: lineOf(file, one) }] : [],
    )
  })
}

function lineOf(file: ts.SourceFile, node: ts.Node): number {
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1
}
