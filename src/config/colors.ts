// Shades of a company's colour that can be read: 4.5:1 against what they stand on (WCAG 2.2, 1.4.3), in light and dark.

type Color = readonly [red: number, green: number, blue: number]

/** Colours as #rrggbb. */
export interface Shades {
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

/** What the colour of each scheme stands on, and where it goes while it cannot be read there. */
const schemes = {
  light: { card: '#ffffff', ground: '#f3f5fa', ink: '#ffffff', towards: '#000000', tint: 0.08, glow: 0.16, hover: 0.2 },
  dark: { card: '#171c2e', ground: '#0e1220', ink: '#0d1330', towards: '#ffffff', tint: 0.1, glow: 0.16, hover: 0.3 },
}
export type Scheme = keyof typeof schemes

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
