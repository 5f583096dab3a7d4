// What a company adds to the gateway's pages: name, pictures, colour, support, templates. Everything is in the page itself;
// nothing of it runs.

import { compileTemplate, nameOf, type PageTemplate, styleSheet } from '../../config/page-templates.js'
import type { Config } from '../../config/schema/index.js'
import type { Brand } from '../context.js'

export interface BrandDeps {
  /** Called when a template cannot be filled. */
  onFailed(template: string, cause: string): void
}

export function createBrand({ pages, publicUrl }: Pick<Config, 'pages' | 'publicUrl'>, { onFailed }: BrandDeps): Brand {
  const { logo, icon, color, support, footer } = pages
  const files = pages.templates?.files ?? []
  const ownStyle = files.find(file => nameOf(file) === styleSheet)
  const templates = new Map<string, PageTemplate>()
  for (const file of files) if (file !== ownStyle) templates.set(nameOf(file), compileTemplate(file, nameOf(file)))
  const site = new URL(publicUrl).host
  const text = support.text ?? support.link?.replace(/^(mailto|tel):/, '')
  return {
    name: pages.name ?? site,
    site,
    logo: logo?.uri,
    icon: icon?.uri ?? builtInIcon(color === null ? '#3452d9' : shadesOf(color, 'light').accent),
    support: text === undefined ? undefined : { text, link: support.link ?? undefined },
    footer: footer ?? 'Deskgate',
    styles: [...(color === null ? [] : [colorStyle(color)]), ...(ownStyle ? [ownStyle.text] : [])],
    fill(name, view) {
      const template = templates.get(name)
      if (!template) return undefined
      try {
        const filled = template.render(view)
        if (filled === undefined) onFailed(name, 'the content of the page would be lost')
        return filled
      } catch (error) {
        onFailed(name, (error as Error).message)
        return undefined
      }
    },
  }
}

function builtInIcon(color: string): string {
  const tile = `<rect width='32' height='32' rx='8' fill='${color}'/>`
  const door = `<path d='M10 25V9.5L20 7v18M7 25h18M16.5 16v1.5' stroke='white' fill='none' stroke-width='2' stroke-linecap='round' stroke-linejoin='round'/>`
  return `data:image/svg+xml,${encodeURIComponent(`<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>${tile}${door}</svg>`)}`
}

function colorStyle(color: string): string {
  const variables = (scheme: 'light' | 'dark') => {
    const { accent, ink, hover, tint, glow } = shadesOf(color, scheme)
    return `:root{--accent:${accent};--accent-ink:${ink};--accent-2:${hover};--tint:${tint};--glow:${glow}}`
  }
  return `${variables('light')}@media (prefers-color-scheme:dark){${variables('dark')}}`
}

type Color = readonly [red: number, green: number, blue: number]

/** Colours as #rrggbb. */
interface Shades {
  accent: string
  /** Text on it. */
  ink: string
  /** Under the pointer. */
  hover: string
  /** Behind text in the accent, and behind a note. */
  tint: string
  /** At the top of the page. */
  glow: string
}

// Shades of a company's colour that can be read: 4.5:1 against what they stand on (WCAG 2.2, 1.4.3), in light and dark.
/** What the colour of each scheme stands on, and where it goes while it cannot be read there. */
const schemes = {
  light: { card: '#ffffff', ground: '#f3f5fa', ink: '#ffffff', towards: '#000000', tint: 0.08, glow: 0.16, hover: 0.2 },
  dark: { card: '#171c2e', ground: '#0e1220', ink: '#0d1330', towards: '#ffffff', tint: 0.1, glow: 0.16, hover: 0.3 },
}
type Scheme = keyof typeof schemes

const readable = 4.5

/** `color`: #rgb or #rrggbb. The accent is the colour itself where that can be read, else the nearest shade that can. */
export function shadesOf(color: string, scheme: Scheme): Shades {
  const { card, ground, ink, towards, ...parts } = schemes[scheme]
  for (let part = 0; ; part += 0.02) {
    const accent = mix(color, towards, Math.min(1, part))
    const tint = mix(card, accent, parts.tint)
    const enough = [card, tint, ink].every(other => contrast(accent, other) >= readable)
    if (!enough && part < 1) continue
    return { accent, ink, tint, glow: mix(ground, accent, parts.glow), hover: mix(accent, towards, parts.hover) }
  }
}

/** WCAG 2.2: from 1 to 21. */
export function contrast(one: string, other: string): number {
  const [bright = 0, dim = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a)
  return (bright + 0.05) / (dim + 0.05)
}

function luminance(color: string): number {
  const [red, green, blue] = parse(color).map(value => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as unknown as Color
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/** `part` of the second, from 0 to 1. */
function mix(one: string, other: string, part: number): string {
  const second = parse(other)
  const mixed = parse(one).map((value, at) => Math.round(value * (1 - part) + (second[at] ?? 0) * part))
  return `#${mixed.map(value => value.toString(16).padStart(2, '0')).join('')}`
}

function parse(color: string): Color {
  const digits = color.length === 4 ? [...color.slice(1)].map(digit => digit + digit).join('') : color.slice(1)
  return [0, 2, 4].map(at => Number.parseInt(digits.slice(at, at + 2), 16)) as unknown as Color
}
