// How pages keep what stands after '#' in their address, which no server sees: their scripts send it with the login, as a
// field of a form. Without scripts the login continues without it. Scripts use its text only as a value, never as markup.

import { html } from 'ghtml'
import type { Brand } from '../context.js'
import { longestFragment } from '../request/return-to.js'
import type { Texts } from './i18n/texts.js'
import { type RenderedPage, withSources } from './sources.js'

/** The field of `POST /auth/login/ID`. */
export const fragmentField = 'fragment'

/** Attack: a field called "submit" would hide the form's own method. */
const submit = 'HTMLFormElement.prototype.submit.call(form)'
const readHash = `const hash=location.hash.length>${longestFragment + 1}?'':location.hash`

export const sendScript = `${readHash},form=document.forms[0];form[0].value=hash;${submit}`

/**
 * For links: a click that opens the page here takes the fragment along. `keep`: it stays in the browser, which takes it
 * along from the action of a form too, over the redirect back to the page.
 */
export const linkScript = `addEventListener('click',event=>{${readHash},link=event.target.closest('a[data-fragment]');if(!link||!hash)return;if(link.dataset.fragment==='keep'){link.hash=hash;return}if(event.ctrlKey||event.metaKey||event.shiftKey||event.altKey)return;event.preventDefault();const form=document.forms.fragment;form.action=link.href;form[0].value=hash;${submit}});addEventListener('submit',({target})=>{target.action=target.action.split('#')[0]+location.hash})`

/** The form of `linkScript`. */
export const linkForm = html`<form method="post" name="fragment" hidden><input type="hidden" name="${fragmentField}"></form>`

/** Begins a login at `href`, at once. Small, and nothing to see: every login by a browser loads it. */
export function sendingPage({ texts, brand }: { texts: Texts; brand: Brand }, href: string): RenderedPage {
  const text = html`<!doctype html>
<html lang="${texts.lang}" dir="${texts.dir}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${brand.name}</title>
<noscript><meta http-equiv="refresh" content="0; url=${href}"></noscript>
<link rel="icon" href="data:,">
<body><form method="post" action="${href}"><input type="hidden" name="${fragmentField}"><noscript><button>${texts.leaving.button}</button></noscript></form><script>!${sendScript}</script>
`
  return withSources(text, [], [sendScript])
}
