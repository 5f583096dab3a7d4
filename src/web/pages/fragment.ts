// How pages keep what stands after '#' in their address, which no server sees: their scripts send it with the login, as a
// field of a form. Without scripts the login continues without it. Scripts use its text only as a value, never as markup.

import { html } from 'ghtml'
import { longestFragment } from '../request/return-to.js'

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
