// The pages of the demo's identity provider: plain HTML with inline CSS and system fonts. They say on every page that
// this is a demo, and work without a script.

import { createHash } from 'node:crypto'
import { html } from 'ghtml'
import { initialsOf, type Person } from './people.js'

/** Hidden fields that a form carries on. */
export type Fields = Record<string, string>

const css = `
:root { --ink: #1c2530; --soft: #5a6775; --line: #dfe4ea; --paper: #fff; --ground: #f2f4f7; --accent: #4338a8; --tint: #ecebfa; }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
.demo { background: var(--accent); color: #fff; text-align: center; font-size: 14px; padding: 8px 16px; }
main { flex: 1; display: flex; align-items: center; justify-content: center; padding: 32px 16px; }
.card { width: 100%; max-width: 440px; background: var(--paper); border: 1px solid var(--line); border-radius: 14px;
  padding: 32px; box-shadow: 0 1px 2px rgb(28 37 48 / 5%), 0 12px 32px rgb(28 37 48 / 7%); }
.mark { display: flex; align-items: center; gap: 10px; font-weight: 600; color: var(--accent); margin-bottom: 20px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 6px; letter-spacing: -.01em; }
p { margin: 0 0 16px; color: var(--soft); }
p a { color: var(--accent); text-underline-offset: 2px; }
form { margin: 0; }
.person { display: flex; align-items: center; gap: 14px; width: 100%; margin-top: 10px; padding: 12px 14px; text-align: left;
  font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 10px; cursor: pointer; }
.person:hover, .person:focus-visible { border-color: var(--accent); background: var(--tint); outline: none; }
.person:focus-visible { box-shadow: 0 0 0 3px rgb(67 56 168 / 25%); }
.avatar { flex: none; width: 42px; height: 42px; border-radius: 50%; display: grid; place-items: center; font-weight: 600;
  background: var(--tint); color: var(--accent); }
.who { flex: 1; min-width: 0; }
.who b { display: block; font-weight: 600; }
.who span { display: block; color: var(--soft); font-size: 14px; overflow-wrap: anywhere; }
.tag { flex: none; font-size: 12px; font-weight: 600; padding: 3px 9px; border-radius: 99px; background: #e3f3ea; color: #17633a; }
.tag.admin { background: var(--tint); color: var(--accent); }
.tag.none { background: #f3ece4; color: #7a4a12; }
.note { margin: 22px 0 0; padding-top: 16px; border-top: 1px solid var(--line); font-size: 14px; }
.button { display: inline-block; font: inherit; font-weight: 600; color: #fff; background: var(--accent); border: 0;
  border-radius: 10px; padding: 11px 20px; cursor: pointer; text-decoration: none; }
.button:hover, .button:focus-visible { background: #352c8c; }
.button.plain { background: var(--tint); color: var(--accent); }
.row { display: flex; flex-wrap: wrap; gap: 10px; margin-top: 8px; }
code { font: 13px/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
@media (max-width: 480px) { .card { padding: 24px 20px; } .tag { display: none; } }
`

const mark = `<svg width="26" height="26" viewBox="0 0 26 26" aria-hidden="true"><rect width="26" height="26" rx="8" fill="#4338a8"/>
<circle cx="13" cy="10" r="4" fill="#fff"/><path d="M5.5 21c1-4.4 4-6.4 7.5-6.4s6.5 2 7.5 6.4" fill="#fff"/></svg>`

/** The style sheet as a Content-Security-Policy names it. */
export const styleSource = `'sha256-${createHash('sha256').update(css).digest('base64')}'`

/** One page; `body` is HTML already, `script` is run under the CSP's nonce. */
function page(title: string, body: string, script?: { nonce: string; code: string }): string {
  const code = script ? `<script nonce="${script.nonce}">${script.code}</script>` : ''
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Aloha Identity</title><style>!${css}</style></head>
<body><div class="demo">Demo identity provider: no passwords, nothing here is secret.</div>
<main><section class="card"><div class="mark">!${mark}<span>Aloha Identity</span></div>
!${body}</section></main>!${code}</body></html>`
}

function hidden(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)
    .join('')
}

function tagOf(person: Person): string {
  if (person.agentId === undefined) return '<span class="tag none">not an agent</span>'
  if (person.roles.includes('admin')) return '<span class="tag admin">agent, admin</span>'
  return '<span class="tag">agent</span>'
}

/** The login form: one button a person; `fields` come back with the choice. */
export function chooserPage(people: readonly Person[], by: 'SAML' | 'JWT', action: string, fields: Fields): string {
  const buttons = people.map(
    person => html`<button class="person" name="person" value="${person.id}">
<span class="avatar" aria-hidden="true">${initialsOf(person.name)}</span>
<span class="who"><b>${person.name}</b><span>${person.email}</span><span>${person.title}</span></span>!${tagOf(person)}</button>`,
  )
  const format = by === 'SAML' ? 'a signed SAML 2.0 response' : 'a signed JWT'
  return page(
    'Log in',
    html`<h1>Who are you today?</h1><p>Pick a person to go on to Desk.</p>
<form method="post" action="${action}">!${hidden(fields)}!${buttons.join('')}</form>
<p class="note">Your browser will take ${format} back to the gateway.</p>`,
  )
}

/** Posts itself to `action`; without a script the button does. */
export function postToGatewayPage(person: Person, action: string, fields: Fields, nonce: string): string {
  return page(
    'One moment',
    html`<h1>Hello ${person.name}</h1><p>You are on your way to Desk.</p>
<form id="callback" method="post" action="${action}">!${hidden(fields)}<button class="button">Continue to Desk</button></form>`,
    { nonce, code: 'document.getElementById("callback").submit()' },
  )
}

export function homePage(publicUrl: string): string {
  return page(
    'Welcome',
    html`<h1>A small identity provider</h1>
<p>It vouches for three made-up people, by SAML 2.0 and by JWT. It is part of the demo and keeps nothing.</p>
<div class="row"><a class="button" href="${publicUrl}/">Open Desk</a></div>
<p class="note">For the curious: <a href="/saml/metadata">SAML metadata</a>. A login that begins here, unasked:
<a href="/saml/sso">by SAML</a> (the gateway refuses it) or <a href="/jwt/login">by JWT</a>.</p>`,
  )
}

export function loggedOutPage(publicUrl: string): string {
  return page(
    'Logged out',
    html`<h1>You are logged out</h1><p>Your session at Desk has ended. This page is the provider's Remote logout URL.</p>
<div class="row"><a class="button" href="${publicUrl}/">Back to Desk</a></div>`,
  )
}

export function refusalPage(why: string): string {
  return page('Not possible', html`<h1>This login cannot go on</h1><p>${why}</p><p><a href="/">What is this?</a></p>`)
}
