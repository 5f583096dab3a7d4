// Bars for the page: pictures that can be read on a light page and on a dark one, and that need nothing but SVG.

export interface Bar {
  name: string
  value: number
  /** Beside the bar; one whose value is not finite is as long as the longest. */
  label: string
  tone: 'own' | 'variant' | 'peer'
}

const [width, left, row, height, top] = [860, 330, 32, 20, 76]
const colours = { own: '#4f46e5', variant: '#a5b4fc', peer: '#94a3b8' }

export function chartOf(title: string, what: string, bars: Bar[]): string {
  const most = Math.max(...bars.map(({ value }) => value).filter(Number.isFinite))
  const lines = bars.map(({ name, value, label, tone }, at) => {
    const [y, share] = [top + at * row, Math.min(1, value / most)]
    const length = Math.max(2, share * (width - left - 170))
    const weight = tone === 'own' ? ' font-weight="600"' : ''
    return [
      `<text x="${left - 12}" y="${y + 15}" text-anchor="end" fill="#0f172a"${weight}>${escaped(name)}</text>`,
      `<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="${height}" rx="4" fill="${colours[tone]}"/>`,
      `<text x="${(left + length + 10).toFixed(1)}" y="${y + 15}" fill="#475569"${weight}>${escaped(label)}</text>`,
    ].join('\n')
  })
  const tall = top + bars.length * row + 14
  const description = `${title}: ${bars.map(({ name, label }) => `${name} ${label}`).join('; ')}`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${tall}" width="${width}" height="${tall}" font-family="system-ui, sans-serif" font-size="14" role="img" aria-label="${escaped(description)}">
<rect width="${width}" height="${tall}" rx="14" fill="#f8fafc"/>
<text x="28" y="34" font-size="17" font-weight="600" fill="#0f172a">${escaped(title)}</text>
<text x="28" y="55" font-size="13" fill="#475569">${escaped(what)}</text>
${lines.join('\n')}
</svg>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
