// The table's ratios as bars: a picture for the page, readable in light and in dark.

export interface Bar {
  name: string
  /** How many times the first. */
  ratio: number
}

const [width, left, row, height] = [760, 380, 30, 18]

export function chartOf(title: string, bars: Bar[]): string {
  const most = Math.max(...bars.map(({ ratio }) => ratio))
  const lines = bars.map(({ name, ratio }, at) => {
    const [y, length] = [44 + at * row, Math.max(2, (ratio / most) * (width - left - 70))]
    const colour = name.startsWith('Deskgate') ? '#0b7285' : '#868e96'
    return [
      `<text x="${left - 10}" y="${y + 13}" text-anchor="end">${escaped(name)}</text>`,
      `<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="${height}" rx="3" fill="${colour}"/>`,
      `<text x="${(left + length + 8).toFixed(1)}" y="${y + 13}">${ratio.toFixed(2)} ×</text>`,
    ].join('\n')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${54 + bars.length * row}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
<g fill="#212529">
<text x="16" y="26" font-weight="600">${escaped(title)}</text>
${lines.join('\n')}
</g>
</svg>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
