// A text with its values in place. What a value holds stays inside it: it is escaped, and isolated from the direction of the
// sentence around it (Unicode TR9 6.3).

import { html } from 'ghtml'
import type { Texts, ValueNames } from './i18n/texts.js'

/** A name or an address as it came; a moment, in milliseconds since the epoch; an amount; a command; another text. */
export type TextValue = string | { at: number } | Amount | { code: string } | Sentence

export interface Amount {
  count: number
  unit: 'minute' | 'second' | 'kilobyte'
}

/** A text with {values}. */
export interface Sentence {
  text: string
  values: Record<string, TextValue>
}

export type Words = string | Sentence

type Direction = Pick<Texts, 'lang' | 'dir'>

export function fill<Text extends string>(text: Text, values: Record<ValueNames<Text>, TextValue>): Sentence {
  return { text, values }
}

/** As markup. A value that is not there leaves its name. */
export function markup(words: Words, texts: Direction): string {
  if (typeof words === 'string') return html`${words}`
  const parts = words.text.split(/(\{[a-z]+\})/i).map(part => {
    const name = part.slice(1, -1)
    const value = part.startsWith('{') && Object.hasOwn(words.values, name) ? words.values[name] : undefined
    return value === undefined ? html`${part}` : valueMarkup(value, texts)
  })
  return parts.join('')
}

export function valueMarkup(value: TextValue, texts: Direction): string {
  const rtl = texts.dir === 'rtl'
  if (typeof value !== 'string') {
    if ('at' in value) return isolated(moment(value.at, texts.lang), rtl)
    if ('code' in value) return html`<bdi><code>${value.code}</code></bdi>`
    if (!('count' in value)) return isolated(markup(value, texts), rtl)
    const time = amount(value, texts.lang)
    // A number may begin with a mark of its own direction, which is not that of the text.
    return rtl ? html`<bdi dir="rtl">${time}</bdi>` : html`${time}`
  }
  // Attack: an override turns the letters of an address around, so that another one seems to stand there.
  const shown = value.replace(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
  return isolated(html`${shown}`, rtl || /[\u0590-\u{10ffff}]/u.test(value))
}

/** `mixed`: the direction of the value may be another than that of the text. */
const isolated = (value: string, mixed: boolean) => (mixed ? html`<bdi>!${value}</bdi>` : value)

/** Times in words: languages have up to six forms of a number's noun. */
function amount({ count, unit }: Amount, lang: string): string {
  const unitDisplay = unit === 'kilobyte' ? 'short' : 'long'
  return new Intl.NumberFormat(lang, { style: 'unit', unit, unitDisplay, maximumFractionDigits: 1 }).format(count)
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** Coordinated Universal Time, and said so: the server does not know where the agent is. */
function moment(at: number, lang: string): string {
  let format = formats.get(lang)
  if (!format) {
    const day = { year: 'numeric', month: 'short', day: 'numeric' } as const
    const time = { hour: 'numeric', minute: '2-digit', timeZone: 'UTC', timeZoneName: 'short' } as const
    format = new Intl.DateTimeFormat(lang, { ...day, ...time })
    formats.set(lang, format)
  }
  const date = new Date(at)
  return html`<time datetime="${date.toISOString()}">${format.format(date)}</time>`
}
