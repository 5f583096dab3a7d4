// The frame of every page of the gateway, and the part of its Content-Security-Policy that allows exactly the inline styles
// and scripts in it. Pages load nothing from elsewhere. Values are always escaped: `!` before a placeholder is only for markup
// that this folder has built itself.

import { createHash } from 'node:crypto'
import { html } from 'ghtml'
import { LRUCache } from 'lru-cache'
import type { PageName } from '../../config/page-templates.js'
import type { Brand } from '../context.js'
import { longestFragment } from '../request/return-to.js'
import type { Texts } from './i18n/texts.js'

const style = `
:root{color-scheme:light dark;--ground:#f3f5fa;--glow:#dfe7ff;--card:#fff;--line:#dde2ec;--edge:#8490ab;--ink:#151a2d;--soft:#566079;--accent:#3452d9;--accent-ink:#fff;--accent-2:#2740b4;--tint:#eef1fd;--warn:#9a3412;--warn-tint:#fff3e8;--shade:0 1px 2px rgb(20 28 60/.06),0 12px 40px rgb(20 28 60/.09)}
@media (prefers-color-scheme:dark){:root{--ground:#0e1220;--glow:#1b2547;--card:#171c2e;--line:#2b3350;--edge:#6d7899;--ink:#eef1fa;--soft:#a7b0c9;--accent:#8ea5ff;--accent-ink:#0d1330;--accent-2:#b0c0ff;--tint:#1f2742;--warn:#ffb683;--warn-tint:#33231a;--shade:0 1px 2px rgb(0 0 0/.4),0 12px 40px rgb(0 0 0/.35)}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;min-height:100vh;min-height:100dvh;display:grid;grid-template-rows:1fr auto;justify-items:center;align-items:center;padding:1.25rem;background:var(--ground) radial-gradient(70rem 34rem at 50% -12rem,var(--glow),transparent) no-repeat;color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{width:100%;max-width:26.5rem;background:var(--card);border:1px solid var(--line);border-radius:1.1rem;box-shadow:var(--shade);padding:clamp(1.4rem,6vw,2.4rem)}
main.wide{max-width:38rem}
main.full{max-width:60rem}
.brand{display:flex;align-items:center;gap:.65rem;margin:0 0 1.6rem;color:var(--soft);font-size:.9rem;overflow-wrap:anywhere}
.brand svg{flex:none;width:2.1rem;height:2.1rem}
.brand img{flex:none;max-width:50%;height:2.6rem;object-fit:contain}
.brand .tile{fill:var(--accent)}.brand .mark{stroke:var(--accent-ink);fill:none;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
h1{font-size:1.5rem;line-height:1.25;letter-spacing:-.015em;margin:0 0 .6rem;text-wrap:balance;overflow-wrap:anywhere}
h2{font-size:1.1rem;line-height:1.35;margin:1.6rem 0 .4rem}
p{margin:0 0 1rem;color:var(--soft);overflow-wrap:anywhere}
p strong{color:var(--ink);font-weight:600}
form{margin:0}
.ways{list-style:none;margin:1.5rem 0 0;padding:0;display:grid;gap:.7rem}
.button{display:flex;width:100%;align-items:center;justify-content:center;gap:.6rem;min-height:3rem;padding:.65rem 1.1rem;border:1px solid transparent;border-radius:.75rem;background:var(--accent);color:var(--accent-ink);font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer;overflow-wrap:anywhere;transition:background-color .12s}
.button:hover{background:var(--accent-2)}
.button.quiet{background:transparent;border-color:var(--edge);color:var(--ink);font-weight:500}
.button.quiet:hover{background:var(--tint)}
.button img{flex:none;width:1.9rem;height:1.9rem;padding:.2rem;border-radius:.45rem;background:#fff;object-fit:contain}
.button.small{width:auto;min-height:2.5rem;padding:.35rem .9rem;font-size:.92rem}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
.actions{display:grid;gap:.7rem;margin-top:1.6rem}
.next{margin:1.8rem 0 0}.next+.ways{margin-top:.8rem}
time{white-space:nowrap}
.note span{display:block}
.note{background:var(--tint);border-radius:.75rem;padding:.8rem 1rem;margin:1.2rem 0 0;color:var(--ink);font-size:.94rem}
.alert{display:inline-flex;width:2.6rem;height:2.6rem;align-items:center;justify-content:center;border-radius:50%;background:var(--warn-tint);color:var(--warn);font-weight:700;font-size:1.2rem;margin:0 0 1rem}
.reference{margin:1.6rem 0 0;padding:1rem 0 0;border-top:1px solid var(--line);font-size:.88rem;color:var(--soft)}
.reference>code{display:block;font:600 1.05rem/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:var(--ink);letter-spacing:.06em;user-select:all}
.reference small{display:block;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.8rem}
.sessions{list-style:none;margin:1.2rem 0 0;padding:0;border-top:1px solid var(--line)}
.sessions li{display:flex;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:.6rem 1rem;padding:.95rem 0;border-bottom:1px solid var(--line)}
.sessions li:last-child{border:0}
.sessions div{flex:1 1 14rem;min-width:0;overflow-wrap:anywhere}
.sessions b{display:block;font-weight:600}
.sessions span{display:block;font-size:.88rem;color:var(--soft)}
.sessions a{color:var(--accent);font-size:.88rem}
.sessions em{font-style:normal;font-size:.78rem;font-weight:600;color:var(--accent);background:var(--tint);border-radius:1rem;padding:.15rem .6rem;margin-inline-end:.4rem;white-space:nowrap}
.sessions .bad{color:var(--warn);background:var(--warn-tint)}
.reference code,.reference small{direction:ltr;unicode-bidi:isolate}
[dir=rtl] h1{letter-spacing:normal}[dir=rtl] :is(.reference code,.reference small){text-align:right}
footer{padding:1.1rem 0 0;font-size:.82rem;color:var(--soft);text-align:center}
footer p{margin:0}
footer a,.link{color:var(--accent)}
footer a:hover,.link:hover{color:var(--accent-2)}
.link{justify-self:center;padding:.3rem;text-align:center;text-underline-offset:.2em;overflow-wrap:anywhere}
@media (prefers-color-scheme:dark){.brand img{padding:.25rem;border-radius:.5rem;background:#fff;color-scheme:only light}}
.languages{display:flex;flex-wrap:wrap;justify-content:center;gap:.1rem .2rem;margin-bottom:.4rem}
.languages>*{min-height:1.9rem;padding:.2rem .6rem;border:0;border-radius:.5rem;background:none;color:inherit;font:inherit;line-height:1.5rem}
.languages button{cursor:pointer;text-decoration:underline;text-underline-offset:.2em}
.languages button:hover{background:var(--tint)}
.languages [aria-current]{color:var(--ink);font-weight:600}
.tabs{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;margin:0 0 1.4rem;padding:0 0 .8rem;border-bottom:1px solid var(--line)}
.tabs a{color:var(--soft)}
.tabs a[aria-current]{color:var(--ink);font-weight:600;text-decoration:none}
.search{display:flex;flex-wrap:wrap;gap:.7rem;align-items:end;margin:1rem 0}
.search label{flex:1 1 16rem;display:grid;gap:.3rem;font-size:.88rem;color:var(--soft)}
.search input{display:block;width:100%;min-height:2.5rem;padding:.35rem .7rem;border:1px solid var(--edge);border-radius:.75rem;background:var(--card);color:var(--ink);font:inherit}
@media (prefers-reduced-motion:reduce){.button{transition:none}}
@media (max-width:22rem){body{padding:.75rem}}
`

/** Attack: a field called "submit" would hide the form's own method. */
const submit = 'HTMLFormElement.prototype.submit.call'
const sendForm = `${submit}(document.forms[0])`

/**
 * The field of `POST /auth/login/ID` in which the login gets what stands after '#' in a page's address, which no server sees.
 * Without scripts the login continues without it. Scripts use its text only as a value, never as markup.
 */
export const fragmentField = 'fragment'

const readHash = `const hash=location.hash.length>${longestFragment + 1}?'':location.hash`

export const sendScript = `${readHash},form=document.forms[0];form[0].value=hash;${submit}(form)`

/**
 * For links: a click that opens the page here takes the fragment along. `keep`: it stays in the browser, which takes it
 * along from the action of a form too, over the redirect back to the page.
 */
const linkScript = `addEventListener('click',event=>{${readHash},link=event.target.closest('a[data-fragment]');if(!link||!hash)return;if(link.dataset.fragment==='keep'){link.hash=hash;return}if(event.ctrlKey||event.metaKey||event.shiftKey||event.altKey)return;event.preventDefault();const form=document.forms.fragment;form.action=link.href;form[0].value=hash;${submit}(form)});addEventListener('submit',({target})=>{target.action=target.action.split('#')[0]+location.hash})`

/** The form of `linkScript`. */
const linkForm = html`<form method="post" name="fragment" hidden><input type="hidden" name="${fragmentField}"></form>`

/** Moments in the agent's own time; without scripts they stay in UTC, which they say. */
const localTimes = `const format=new Intl.DateTimeFormat(document.documentElement.lang,{year:'numeric',month:'short',day:'numeric',hour:'numeric',minute:'2-digit'})
for(const time of document.querySelectorAll('time'))time.textContent=format.format(new Date(time.dateTime))`

/** Tells every page of Desk (browser/session.js). */
const closingScript = "new BroadcastChannel('deskgate').postMessage('login');close()"

/** What every page needs. */
export interface PageContext {
  texts: Texts
  brand: Brand
  /** Only on a page that can be asked for again. */
  languageSwitch?: LanguageSwitch | undefined
  /** The trace ID of the request, for error pages. */
  trace?: string
}

export interface LanguageSwitch {
  languages: readonly Texts[]
  /** Where the form goes, and the page that it then leads back to. */
  post: string
  page: string
}

export interface PageParts {
  /** A company may have a template of this name. */
  name?: PageName
  title: string
  /** Markup, built by a template. */
  main: string
  width?: 'wide' | 'full'
  /** The page sends its first form by itself. */
  sends?: 'at once'
  /** The page tells Desk's pages of a login, and closes its window. */
  closes?: 'at once'
}

export function layout(context: PageContext, page: PageParts): RenderedPage {
  const { texts, brand } = context
  const styles = [style, ...brand.styles]
  const keeps = page.main.includes(' data-fragment=')
  const scripts = [
    ...(page.sends === 'at once' ? [sendForm] : []),
    ...(page.closes === 'at once' ? [closingScript] : []),
    ...(page.main.includes('<time') ? [localTimes] : []),
    ...(keeps ? [linkScript] : []),
  ]
  const sheets = styles.map(css => `<style>${css}</style>`)
  const programs = scripts.map(script => `<script>${script}</script>`)
  const body = bodyOf(context, page) + (keeps ? linkForm : '')
  const text = html`<!doctype html>
<html lang="${texts.lang}" dir="${texts.dir}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${page.title} · ${brand.name}</title>
<link rel="icon" href="${brand.icon}">
!${sheets}
</head>
<body>
!${body}
!${programs}
</body>
</html>
`
  return withSources(text, styles, scripts)
}

/** The built-in page, with a company's templates in the place of its parts. */
function bodyOf(context: PageContext, page: PageParts): string {
  const { brand, texts } = context
  const { title, name = 'other', width = 'plain' } = page
  const { site, logo, support, footer: footerText } = brand
  const values = { name: brand.name, site, logo, support, footerText, title, page: name, width, lang: texts.lang }
  const content = brand.fill(name, { ...values, content: page.main }) ?? page.main
  const header = brand.fill('header', values) ?? builtInHeader(brand)
  const footer = brand.fill('footer', values) ?? builtInFooter(brand)
  const passing = page.sends !== undefined || page.closes !== undefined
  const languages = passing ? '' : languageForm(context)
  const whole = brand.fill('layout', { ...values, header, content, languages, footer })
  return whole ?? html`<main class="${width}">!${header}!${content}</main><footer>!${languages}!${footer}</footer>`
}

function builtInHeader({ name, logo }: Brand): string {
  const picture =
    logo === undefined
      ? '<svg viewBox="0 0 32 32" aria-hidden="true"><rect class="tile" width="32" height="32" rx="8"/><path class="mark" d="M10 25V9.5L20 7v18M7 25h18M16.5 16v1.5"/></svg>'
      : html`<img src="${logo}" alt="">`
  return html`<p class="brand">!${picture}<bdi>${name}</bdi></p>`
}

function builtInFooter({ support, footer }: Brand): string {
  const link = support?.link
  const help =
    support === undefined
      ? ''
      : link === undefined
        ? html`<p><bdi>${support.text}</bdi></p>`
        : html`<p><a href="${link}"><bdi>${support.text}</bdi></a></p>`
  return html`!${help}<p><bdi>${footer}</bdi></p>`
}

function languageForm({ texts, languageSwitch }: PageContext): string {
  if (!languageSwitch || languageSwitch.languages.length < 2) return ''
  const { languages, post, page } = languageSwitch
  const choices = languages.map(({ lang, dir, language }) =>
    lang === texts.lang
      ? html`<span lang="${lang}" dir="${dir}" aria-current="true">${language}</span>`
      : html`<button name="lang" value="${lang}" lang="${lang}" dir="${dir}">${language}</button>`,
  )
  return html`<nav aria-label="${texts.switch}"><form class="languages" method="post" action="${post}"><input type="hidden" name="page" value="${page}">!${choices}</form></nav>`
}

export interface RenderedPage {
  text: string
  sources: string
}

/** `styles` and `scripts`: the texts of these elements, as they are in the page. */
export function withSources(text: string, styles: readonly string[], scripts: readonly string[]): RenderedPage {
  const list = (inline: readonly string[]) => (inline.length === 0 ? "'none'" : inline.map(sha256).join(' '))
  return { text, sources: `style-src ${list(styles)}; script-src ${list(scripts)}; img-src data:` }
}

/** Whether the page's policy lets this script run. */
export function allows({ sources }: RenderedPage, script: string): boolean {
  return sources.includes(sha256(script))
}

const hashes = new LRUCache<string, string>({ max: 100 })

function sha256(text: string): string {
  const known = hashes.get(text)
  if (known !== undefined) return known
  const source = `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  hashes.set(text, source)
  return source
}
