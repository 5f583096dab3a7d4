// Templates of a company for the gateway's pages, in Mustache: parsed and checked when the configuration is loaded, filled
// when a page is shown. A template runs no code, leaves no value unescaped, and never loses what a page is for.

import Mustache from 'mustache'
import { type Problem, problemAt } from './problems.js'
import type { FileText } from './schema/values.js'

/** The pages that may have a template of their own. */
const pageNames = ['login', 'leaving', 'refused', 'error', 'logout', 'logged-out', 'sessions', 'other'] as const
export type PageName = (typeof pageNames)[number]

/** `layout` is all of the body, `header` and `footer` stand in it, every other is around the content of one page. */
type TemplateName = 'layout' | 'header' | 'footer' | PageName

/** What a template may show, escaped. */
const values = [
  'name',
  'site',
  'logo',
  'title',
  'lang',
  'page',
  'width',
  'support',
  'support.text',
  'support.link',
  'footerText',
]
/** Markup of the gateway itself, each in `{{{ }}}`. */
const blocks: Partial<Record<TemplateName, string[]>> = {
  layout: ['header', 'content', 'languages', 'footer'],
  header: [],
  footer: [],
}

export type TemplateView = Record<string, unknown>

export interface PageTemplate {
  /** Undefined: the result would lose the content of the page. Throws what the engine throws. */
  render(view: TemplateView): string | undefined
}

/** [type, value, start, end, inner tokens of a section] */
type Token = [type: string, value: string, start: number, end: number, inner?: Token[]]

const mostCharacters = 64 * 1024

/** The style sheet among the templates. */
export const styleSheet = 'style.css'

export function nameOf({ path }: FileText): string {
  return path.replace(/^.*[/\\]/, '').replace(/\.mustache$/, '')
}

export function compileTemplate({ text }: FileText, name: string): PageTemplate {
  const writer = new Mustache.Writer()
  const tokens = writer.parse(text)
  const content = isFrame(name) ? undefined : 'content'
  return {
    render(view) {
      const out = writer.renderTokens(tokens, new Mustache.Context(view), undefined, text)
      return lostContent(out, content && String(view[content])) === undefined ? out : undefined
    },
  }
}

/** A header or a footer stands beside the content, not around it. */
function isFrame(name: string): boolean {
  return name === 'header' || name === 'footer'
}

/** Every problem of a template or of the style sheet, and what in it has no effect. */
export function checkPageFile(file: FileText): { problems: Problem[]; warnings: Problem[] } {
  const name = nameOf(file)
  const at = (offset: number, key: string, message: string, hint?: string): Problem => {
    const before = file.text.slice(0, offset).split('\n')
    const place = { file: file.path, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
    return problemAt(place, key, message, hint)
  }
  const style = file.path.endsWith('.css') && /<\/style/i.exec(file.text)
  if (style)
    return {
      problems: [at(style.index, '(css)', 'ends the style sheet: what follows would be markup', 'remove </style')],
      warnings: [],
    }
  if (name === styleSheet)
    return { problems: [], warnings: remote(file.text).map(offset => at(offset, name, notLoaded)) }
  const known = [styleSheet, 'layout', 'header', 'footer', ...pageNames]
  const none = { problems: [], warnings: [] }
  if (!known.includes(name)) return { ...none, problems: [at(0, name, 'no page has this name', known.join(', '))] }
  if (file.text.length > mostCharacters) return { ...none, problems: [at(0, name, 'is longer than 64 kB')] }
  let tokens: Token[]
  try {
    tokens = new Mustache.Writer().parse(file.text) as Token[]
  } catch (error) {
    const { message } = error as Error
    const [, what = message, offset = '0'] = /^(.*) at (\d+)$/s.exec(message) ?? []
    return { ...none, problems: [at(Number(offset), '(mustache)', `invalid: ${what}`)] }
  }
  const problems = tagProblems(tokens, name as TemplateName, at)
  if (problems.length === 0) problems.push(...contentProblems(file, name, at))
  return { problems, warnings: idleMarkup(file.text).map(([offset, what]) => at(offset, name, what)) }
}

type At = (offset: number, key: string, message: string, hint?: string) => Problem

function tagProblems(tokens: Token[], name: TemplateName, at: At): Problem[] {
  const raw = blocks[name] ?? ['content']
  const problems: Problem[] = []
  const walk = (inside: Token[], section: boolean) => {
    for (const [type, value, start, , inner] of inside) {
      if (type === '>')
        problems.push(
          at(start, value, 'a template cannot include another one', 'header and footer are blocks of layout'),
        )
      else if (type === '&' && !raw.includes(value)) {
        problems.push(
          at(start, value, 'would not be escaped', `{{${value}}} escapes it; blocks here: ${raw.join(', ') || 'none'}`),
        )
      } else if (type === '&' && value === 'content' && section) {
        problems.push(at(start, value, 'is inside a section, so some pages would leave it out', 'put it outside'))
      } else if (type === 'name' && raw.includes(value)) {
        problems.push(at(start, value, 'is markup', `write {{{${value}}}}`))
      } else if (['name', '#', '^'].includes(type) && !values.includes(value) && !raw.includes(value)) {
        problems.push(at(start, value, 'unknown value', values.join(', ')))
      }
      if (inner) walk(inner, true)
    }
  }
  walk(tokens, false)
  return problems
}

/** Filled as on a real page, with every value and with none. */
function contentProblems(file: FileText, name: string, at: At): Problem[] {
  const form = /<form\b/i.exec(file.text)
  if (form)
    return [at(form.index, name, 'contains a form', "remove it: the gateway's own blocks already contain the forms")]
  const content = '<form method="post"></form>'
  const empty = { content, header: '', footer: '', languages: '' }
  const full = Object.fromEntries(values.map(value => [value, 'x']))
  const writer = new Mustache.Writer()
  for (const view of [{ ...full, support: { text: 'x', link: 'x' }, ...empty }, empty]) {
    const out = writer.render(file.text, view)
    const lost = lostContent(out, isFrame(name) ? undefined : content)
    if (lost !== undefined)
      return [at(0, name, lost, isFrame(name) ? 'close it' : 'write {{{content}}} once, outside of it')]
  }
  return []
}

/**
 * Why a browser would not show the content of the page as it is: `content` is not there exactly once, or markup before it
 * is still open and would take it in. Without `content`: what stays open at the end.
 */
function lostContent(html: string, content: string | undefined): string | undefined {
  if (content === undefined) return stillOpen(html)
  const at = html.indexOf(content)
  if (at < 0) return 'leaves out the content of the page'
  if (html.indexOf(content, at + 1) >= 0) return 'holds the content of the page twice'
  return stillOpen(html.slice(0, at)) ?? stillOpen(html.slice(at + content.length))
}

/** Elements in which a browser reads no markup, or none that works. */
const textOnly = /^(script|style|textarea|title|xmp|iframe|noembed|noframes|noscript|plaintext)$/
const taking = /^(template|select|button|object|svg|math|dialog|a)$/

/** A comment, tag or element that is open at the end of this markup and would take in what follows. */
function stillOpen(html: string): string | undefined {
  const open: string[] = []
  for (let at = html.indexOf('<'); at >= 0; at = html.indexOf('<', at)) {
    if (html.startsWith('<!--', at)) {
      at = html.indexOf('-->', at + 2)
      if (at < 0) return 'leaves a comment open'
      continue
    }
    const [tag, slash = '', typed = ''] = /^<(\/?)([a-z][^\s/>]*)/i.exec(html.slice(at, at + 100)) ?? []
    if (tag === undefined) {
      at++
      continue
    }
    const end = /^(?:[^"'>]|"[^"]*"|'[^']*')*>/.exec(html.slice(at))
    if (!end) return 'leaves a tag open'
    at += end[0].length
    const element = typed.toLowerCase()
    if (slash === '' && textOnly.test(element)) {
      at = html.toLowerCase().indexOf(`</${element}`, at)
      if (at < 0) return `leaves <${element}> open`
    } else if (taking.test(element)) {
      if (slash === '') open.push(element)
      else if (open.includes(element)) open.splice(open.lastIndexOf(element), 1)
    }
  }
  return open[0] === undefined ? undefined : `leaves <${open[0]}> open`
}

const notLoaded = 'is not loaded: pages load nothing; use a data: URI'

function remote(css: string): number[] {
  return [...css.matchAll(/@import\b|url\(\s*["']?(?!data:|#)[^\s"')]/gi)].map(({ index }) => index)
}

/** What the Content-Security-Policy of the pages stops. */
const idle: [RegExp, string][] = [
  [/<script\b/gi, 'has no effect: scripts of a template do not run'],
  [/<(?:style|link)\b/gi, 'has no effect: styles belong in style.css'],
  [/\sstyle\s*=/gi, 'has no effect: styles belong in style.css'],
  [/\son[a-z]+\s*=/gi, 'has no effect: scripts of a template do not run'],
  [/\ssrc\s*=\s*["']?(?!data:|\{\{)[^\s"'>]/gi, notLoaded],
  [/<(?:iframe|embed|object)\b/gi, 'has no effect: a page cannot embed another one'],
]

function idleMarkup(text: string): [offset: number, what: string][] {
  return idle.flatMap(([pattern, what]) =>
    [...text.matchAll(pattern)].map(({ index }): [number, string] => [index, what]),
  )
}
