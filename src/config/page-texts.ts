// A company's own sentences for the gateway's pages, one file per language: compared with the English ones, so that a text
// that misses a value, or belongs nowhere, is found when the configuration is loaded.

import { basename, extname } from 'node:path'
import { en } from '../web/pages/i18n/en.js'
import { languageTags } from '../web/pages/i18n/texts.js'
import { readDocument } from './document.js'
import { dotted, type Path, type Problem, problemAt } from './problems.js'
import type { FileText } from './schema/values.js'
import { isMapping } from './zod-introspection.js'

/** Texts by key, as in i18n/en.ts; what is left out stays as it is. */
interface OwnTexts {
  lang: string
  texts: Record<string, unknown>
  /** The keys that a further language leaves in English. */
  missing: string[]
}

const longest = 2000

/** BCP 47, the common part. */
export const languageShape = /^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$/

export function isLanguageTag(tag: string): boolean {
  try {
    return languageShape.test(tag) && Intl.getCanonicalLocales(tag).length === 1
  } catch {
    return false
  }
}

/** Never throws. */
export function parseOwnTexts({ path, text }: FileText): OwnTexts | { problems: Problem[] } {
  const lang = basename(path, extname(path))
  const first = (message: string, hint?: string) => ({
    problems: [problemAt({ file: path, line: 1, column: 1 }, '(file)', message, hint)],
  })
  if (!isLanguageTag(lang)) return first('is not named after a language', 'such as de.yaml or pt-BR.yaml')
  const { document, problems } = readDocument(text, path)
  if (!document || document.problems.length > 0) return { problems: document?.problems ?? problems }
  const texts = document.value ?? {}
  if (!isMapping(texts)) return first('not a mapping of texts')
  const known = languageTags.includes(lang)
  if (!known && texts.language === undefined)
    return first("language is missing: set it to the language's own name, which the language switch shows")
  const found: Problem[] = []
  const missing: string[] = []
  compare(en, texts, [], {
    wrong: (key, message, hint) => found.push(problemAt(document.place(key), dotted(key), message, hint)),
    missing: key => missing.push(dotted(key)),
  })
  if (found.length > 0) return { problems: found }
  return { lang, texts, missing: known ? [] : missing }
}

interface Report {
  wrong(key: Path, message: string, hint?: string): void
  missing(key: Path): void
}

function compare(english: object, own: Record<string, unknown>, path: Path, report: Report): void {
  for (const key of Object.keys(own)) {
    if (!Object.hasOwn(english, key) || (path.length === 0 && key === 'lang')) {
      report.wrong([...path, key], 'unknown text', 'docs/pages.md lists the texts')
    }
  }
  for (const [key, wanted] of Object.entries(english)) {
    const at = [...path, key]
    const value = Object.hasOwn(own, key) ? own[key] : undefined
    if (value === undefined) {
      if (path.length > 0 || !['lang', 'dir'].includes(key)) report.missing(at)
    } else if (typeof wanted === 'string') compareText(wanted, value, at, report)
    else if (isMapping(value)) compare(wanted, value, at, report)
    else report.wrong(at, 'not a mapping of texts')
  }
}

const namesIn = (text: string) => new Set(text.match(/\{[a-z]+\}/gi) ?? [])

function compareText(english: string, own: unknown, path: Path, { wrong }: Report): void {
  const problem = textProblem(own, path)
  if (problem !== undefined) {
    wrong(path, problem)
    return
  }
  const [wanted, found] = [namesIn(english), namesIn(String(own))]
  for (const name of wanted) if (!found.has(name)) wrong(path, `leaves out ${name}`)
  const values = [...wanted].join(', ') || 'this text has none'
  for (const name of found) if (!wanted.has(name)) wrong(path, `unknown value ${name}`, values)
}

function textProblem(own: unknown, path: Path): string | undefined {
  if (typeof own !== 'string' || own.trim() === '') return 'must be a string that is not empty'
  if (own.length > longest) return `is longer than ${longest} characters`
  const direction = path.length === 1 && path[0] === 'dir'
  return direction && own !== 'ltr' && own !== 'rtl' ? 'must be ltr or rtl' : undefined
}
