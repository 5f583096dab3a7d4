// A company's own pages: name, pictures, colour, support, footer and templates, good and bad.

import t from 'tap'
import { contrast, createBrand, shadesOf } from '../../../src/web/pages/brand.js'
import { ar } from '../../../src/web/pages/i18n/ar.js'
import { en } from '../../../src/web/pages/i18n/en.js'
import { leavingPage, noticePage } from '../../../src/web/pages/pages.js'
import { plainBrand } from '../../parts/brand.js'
import { load, loadValid, problemMessages, settings, warningMessages } from '../../parts/configuration.js'

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><script>alert(1)</script></svg>'
const notice = { title: 'A', text: 'B', buttons: [{ label: 'Go', to: { post: '/x', fields: { secret: 'kept' } } }] }

t.test('name, logo, icon, support and footer are on every page', async t => {
  const files = { 'logo.svg': svg, 'icon.png': png }
  const support = { text: 'IT, ext. 4711', link: 'https://it.example.com/?a=1&b=2' }
  const brand = plainBrand(
    { name: 'Aloha & Co', logo: 'logo.svg', icon: 'icon.png', support, footer: '© Aloha' },
    files,
  )
  for (const { text } of [
    noticePage({ texts: en, brand }, notice),
    leavingPage({ texts: en, brand }, 'x', { post: '/', fields: {} }),
  ]) {
    t.match(text, '· Aloha &#38; Co</title>')
    const read = text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code))
    t.match(read, `<img src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}" alt="">`)
    t.match(text, '<link rel="icon" href="data:image/png;base64,')
    t.match(read, 'href="https://it.example.com/?a=1&b=2"')
    t.match(text, '© Aloha')
    t.notMatch(text, 'Deskgate')
    t.notMatch(text, 'alert(1)', 'a picture is not part of the markup')
  }
  const plain = noticePage({ texts: en, brand: plainBrand() }, notice).text
  t.match(plain, '<bdi>desk.example.com</bdi>')
  t.match(plain, '<bdi>Deskgate</bdi>')
})

t.test('pictures that are none, or too large', async t => {
  const of = (logo: string | Buffer) => problemMessages(settings({ pages: { logo: 'logo' } }), { files: { logo } })
  const name = 'pages.logo: the file /etc/deskgate/logo'
  for (const good of [
    png,
    svg,
    `\ufeff<?xml version="1.0"?><!-- x -->${svg}`,
    Buffer.from('GIF89a'),
    Buffer.from([0xff, 0xd8, 0xff, 0xe0]),
  ])
    t.same(of(good), [])
  for (const bad of [
    '',
    'text',
    '%PDF-1.7',
    Buffer.from([0x7f, 0x45, 0x4c, 0x46]),
    '<html><body>x</body></html>',
    'MZ',
  ])
    t.same(of(bad), [`${name} unsupported picture format`])
  t.same(of('<svg viewBox="0 0 1 1"/>'), [`${name} is an SVG without its namespace: browsers do not show it`])
  t.same(of('<svg xmlns="http://www.w3.org/2000/svg"><g></svg>'), [`${name} is an SVG that is not well-formed XML`])
  t.match(of(Buffer.concat([png, Buffer.alloc(5 * 1024 * 1024)])), [/logo is 5121 kB large; at most 96 kB is allowed$/])
  t.match(problemMessages(settings({ pages: { logo: 'none.png' } })), [/pages\.logo: .* does not exist/])
  t.match(
    problemMessages(settings({ pages: { icon: 'i' } }), { files: { i: Buffer.concat([png, Buffer.alloc(40_000)]) } }),
    [/at most 32 kB/],
  )
})

t.test('texts and links that would mislead', async t => {
  const of = (pages: object) => problemMessages(settings({ pages }))
  t.same(of({ name: 'Aloha 🌺 <b>GmbH</b>' }), [])
  for (const name of ['\u202ehola', 'a\u2066b', '\u200fa']) t.same(of({ name }), ['pages.name: invalid text'])
  t.same(of({ name: 'x'.repeat(300) }), ['pages.name: is longer than 100 characters'])
  t.match(of({ name: '' }), [/pages\.name/])
  for (const link of [
    'javascript:alert(1)',
    'data:text/html,x',
    '//evil.example',
    'https://a b',
    'ftp://x',
    'https://x"y',
  ])
    t.same(of({ support: { link } }), ['pages.support.link: invalid link'], link)
  for (const link of ['https://it.example.com/a?b#c', 'mailto:it@example.com', 'tel:+4930123'])
    t.same(of({ support: { link } }), [], link)
  for (const color of ['blue', '#12', '3452d9', '#3452d9ff', 'red;}body{display:none', '#12345g'])
    t.same(of({ color }), ['pages.color: invalid colour'], color)
})

t.test('every colour becomes shades that can be read, in light and dark', async t => {
  const steps = ['00', '33', '66', '99', 'cc', 'ff']
  const colors = steps.flatMap(r => steps.flatMap(g => steps.map(b => `#${r}${g}${b}`)))
  for (const color of [...colors, '#fff', '#000', '#ff0', '#0b6e4f']) {
    for (const [scheme, card] of [
      ['light', '#ffffff'],
      ['dark', '#171c2e'],
    ] as const) {
      const { accent, ink, hover, tint } = shadesOf(color, scheme)
      const text = scheme === 'light' ? '#151a2d' : '#eef1fa'
      for (const [one, other] of [
        [accent, card],
        [accent, tint],
        [ink, accent],
        [ink, hover],
        [text, tint],
      ] as const)
        t.ok(contrast(one, other) >= 4.5, `${color} ${scheme}: ${one} on ${other}: ${contrast(one, other)}`)
    }
  }
  t.equal(shadesOf('#0b6e4f', 'light').accent, '#0b6e4f', 'what can be read stays')
  const page = noticePage({ texts: en, brand: plainBrand({ color: '#ff0' }) }, notice).text
  t.match(page, `--accent:${shadesOf('#ffff00', 'light').accent}`)
  t.match(page, `prefers-color-scheme:dark){:root{--accent:${shadesOf('#ff0', 'dark').accent}`)
})

const templates = (files: Record<string, string>) => ({
  files: Object.fromEntries(Object.entries(files).map(([name, text]) => [`templates/${name}`, text])),
})
const withTemplates = settings({ pages: { templates: 'templates', name: 'A&B' } })

t.test('templates: layout, header, footer, one page, and a style sheet', async t => {
  const { files } = templates({
    'layout.mustache':
      '<div lang="{{lang}}">{{{header}}}<main class="{{width}}">{{{content}}}</main>{{{languages}}}{{{footer}}}</div>',
    'header.mustache': '{{#logo}}<img src="{{logo}}" alt="">{{/logo}}{{^logo}}<b>{{name}}</b>{{/logo}}',
    'footer.mustache': '<hr>{{#support}}<a href="{{support.link}}">{{support.text}}</a>{{/support}}',
    'error.mustache': '<p>Sorry, {{title}}</p>{{{content}}}',
    'style.css': 'main{border:9px solid}',
    'README.md': 'not read',
  })
  const brand = plainBrand({ templates: 'templates', name: 'A&B', support: { text: 'IT', link: 'tel:1' } }, files)
  const page = noticePage({ texts: en, brand }, { ...notice, name: 'error', title: '<T>' })
  t.match(page.text, '<div lang="en"><b>A&amp;B</b><main class="plain"><p>Sorry, &lt;T&gt;</p><h1>&#60;T&#62;</h1>')
  t.match(page.text, 'name="secret" value="kept"')
  t.match(page.text, '<hr><a href="tel:1">IT</a></div>')
  t.match(page.text, '<style>main{border:9px solid}</style>')
  t.equal(page.sources.match(/sha256-/g)?.length, 2)
  t.notMatch(noticePage({ texts: en, brand }, notice).text, 'Sorry', 'only that page')
})

t.test('every mistake of a template is told with its file and line', async t => {
  const cases: [file: string, text: string, problem: RegExp][] = [
    ['layout.mustache', 'a\n{{{content}}', /layout\.mustache:2:\d+ \(mustache\): invalid: Unclosed tag/],
    [
      'layout.mustache',
      '{{{content}}}\n{{#logo}}x',
      /layout\.mustache:2:\d+ \(mustache\): invalid: Unclosed section "logo"/,
    ],
    [
      'layout.mustache',
      '{{{content}}}\n\n {{/logo}}',
      /layout\.mustache:3:2 \(mustache\): invalid: Unopened section "logo"/,
    ],
    ['layout.mustache', 'x\n{{{content}}}\n{{nam}}', /layout\.mustache:3:1 nam: unknown value \(name, /],
    ['layout.mustache', '{{{content}}}{{constructor}}', /constructor: unknown value/],
    ['layout.mustache', '{{{content}}}{{{name}}}', /name: would not be escaped \(\{\{name\}\} escapes it/],
    ['layout.mustache', '{{{content}}}{{&title}}', /title: would not be escaped/],
    ['layout.mustache', '{{{content}}}{{=<% %>=}}<%& name %>', /name: would not be escaped/],
    ['layout.mustache', '{{content}}', /content: is markup \(write \{\{\{content\}\}\}/],
    ['layout.mustache', '{{{content}}}{{> /etc/passwd}}', /a template cannot include another one/],
    ['layout.mustache', '<main></main>', /layout: leaves out the content of the page/],
    ['login.mustache', '{{title}}', /login: leaves out the content of the page/],
    ['layout.mustache', '{{{content}}}{{{content}}}', /holds the content of the page twice/],
    [
      'layout.mustache',
      '{{#support}}{{{content}}}{{/support}}',
      /content: is inside a section, so some pages would leave it out/,
    ],
    ['layout.mustache', '<!-- {{{content}}} -->', /leaves a comment open/],
    ['layout.mustache', '<p title="{{{content}}}">', /leaves a tag open/],
    ['layout.mustache', '<TextArea>{{{content}}}</TextArea>', /leaves <textarea> open/],
    ['layout.mustache', '<template>{{{content}}}</template>', /leaves <template> open/],
    ['layout.mustache', '<form action="https://evil.example">{{{content}}}</form>', /layout: contains a form/],
    ['layout.mustache', '{{#logo}}<!--{{/logo}}{{{content}}}', /leaves a comment open/],
    ['layout.mustache', '{{^logo}}<select>{{/logo}}{{{content}}}', /leaves <select> open/],
    ['header.mustache', '<script>', /header: leaves <script> open/],
    ['footer.mustache', '{{{content}}}', /content: would not be escaped/],
    ['logn.mustache', '{{{content}}}', /logn\.mustache:1:1 logn: no page has this name/],
    ['login.mustache', `{{{content}}}${'x'.repeat(70_000)}`, /is longer than 64 kB/],
    ['style.css', 'a{}\n</style><script>', /style\.css:2:1 \(css\): ends the style sheet/],
  ]
  for (const [file, text, problem] of cases) {
    const loaded = load(withTemplates, templates({ [file]: text }))
    if ('config' in loaded) t.fail(`${file} loads: ${text}`)
    else {
      const lines = loaded.problems.map(
        one => `${one.file}:${one.line}:${one.column} ${one.key}: ${one.message} (${one.hint}`,
      )
      t.match(lines.join('\n'), problem, text)
    }
  }
  t.match(problemMessages(withTemplates), [/pages\.templates: the folder .* does not exist/])
})

t.test('what has no effect is a warning', async t => {
  const text = `{{{content}}}
<script>alert(1)</script><p style="color:red" onclick="x()">a</p>
<img src="https://cdn.example.com/x.png"><style>p{}</style>`
  const found = warningMessages(
    withTemplates,
    templates({ 'login.mustache': text, 'style.css': '@import "x"; a{background:url(//x)}' }),
  )
  t.equal(found.filter(line => line.includes('login.mustache:2')).length, 2)
  t.equal(found.filter(line => line.includes('login.mustache:3')).length, 2)
  t.equal(found.filter(line => line.includes('style.css:1')).length, 1)
})

t.test('a template that fails while a page is shown gives way to the built-in page, and the cause is told', async t => {
  const failed: string[] = []
  const logo = { path: 'logo', uri: 'data:,' }
  // As check would not let it through.
  const text = '{{#logo}}<!--{{/logo}}{{{content}}}'
  const { publicUrl, pages } = loadValid(settings())
  const files = [
    { path: '/x/layout.mustache', text },
    { path: '/x/error.mustache', text: '{{{content}}}!' },
  ]
  const config = { publicUrl, pages: { ...pages, logo, templates: { path: '/x', files } } }
  const brand = createBrand(config, { onFailed: (name, cause) => void failed.push(`${name}: ${cause}`) })
  const page = noticePage({ texts: en, brand }, { ...notice, name: 'error' }).text
  t.match(page, '<main class="plain"><p class="brand"><img')
  t.match(page, 'value="kept"')
  t.match(page, '</div>!</main>', 'the other template is still used')
  t.same(failed, ['layout: the content of the page would be lost'])
  const good = createBrand(
    { ...config, pages: { ...config.pages, logo: null } },
    { onFailed: name => void t.fail(name) },
  )
  t.notMatch(noticePage({ texts: en, brand: good }, notice).text, '<main')
})

t.test('a page from right to left keeps its name in its own direction', async t => {
  const page = noticePage({ texts: ar, brand: plainBrand({ name: 'Aloha (GmbH)' }) }, notice).text
  t.match(page, '<html lang="ar" dir="rtl">')
  t.match(page, '<bdi>Aloha (GmbH)</bdi>')
})
