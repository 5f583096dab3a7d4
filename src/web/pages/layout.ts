// The frame around every page of ours, and the headers that go with it. Never fetches anything from anywhere, never lets
// a value into markup unescaped: `!` before a placeholder is for what this folder has built itself, not for data.

import { createHash } from 'node:crypto'
import { html } from 'ghtml'
import type { Answer } from '../context.js'
import type { Texts } from './i18n/en.js'
import { script, style } from './style.js'

/** What a page needs to know of the place it is shown at. */
export interface Place {
  texts: Texts
  /** The host that browsers see. */
  site: string
}

export interface PageParts {
  title: string
  /** Markup that a template of ours has built. */
  main: string
  width?: 'wide'
  /** The page sends its first form by itself. */
  sends?: 'at once'
}

const sha256 = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
const styleSource = sha256(style)
const scriptSource = sha256(script)

const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='8' fill='%233452d9'/%3E%3Cpath d='M10 25V9.5L20 7v18M7 25h18M16.5 16v1.5' stroke='white' fill='none' stroke-width='2' stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E"

/** A whole page. */
export function layout(place: Place, page: PageParts): string {
  const sending = page.sends === undefined ? '' : `<script>${script}</script>`
  return html`<!doctype html>
<html lang="${place.texts.lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${page.title} · ${place.site}</title>
<link rel="icon" href="!${icon}">
<style>!${style}</style>
</head>
<body>
<main class="${page.width ?? 'plain'}">
<p class="brand"><svg viewBox="0 0 32 32" aria-hidden="true"><rect class="tile" width="32" height="32" rx="8"/><path class="mark" d="M10 25V9.5L20 7v18M7 25h18M16.5 16v1.5"/></svg><span>${place.site}</span></p>
!${page.main}
</main>
<footer>Deskgate</footer>
!${sending}
</body>
</html>
`
}

/**
 * The Content-Security-Policy of everything we answer ourselves.
 * @param formTargets origins that our forms may end at: browsers hold the redirects after a form to it too
 * @param ancestors who may show it in a frame: 'none', 'self' or an origin
 */
export function contentPolicy(formTargets: readonly string[], ancestors = "'none'"): string {
  return [
    "default-src 'none'",
    `style-src ${styleSource}`,
    `script-src ${scriptSource}`,
    'img-src data:',
    `form-action ${["'self'", ...new Set(formTargets)].join(' ')}`,
    "base-uri 'none'",
    `frame-ancestors ${ancestors}`,
  ].join('; ')
}

/** Headers of every answer of ours, name, value, name, value…; a route may replace the first. */
export function ownHeaders(policy: string): string[] {
  return [
    'Cache-Control',
    'no-store',
    'Content-Security-Policy',
    policy,
    'Referrer-Policy',
    'same-origin',
    'X-Content-Type-Options',
    'nosniff',
  ]
}

/** A page as data. */
export function pageAnswer(status: number, body: string, policy: string): Answer {
  return { status, headers: [...ownHeaders(policy), 'Content-Type', 'text/html; charset=utf-8'], body }
}

/** An answer for a program (RFC 9457). `type` stays about:blank: the members beside it say what it is. */
export function problemAnswer(status: number, members: Record<string, unknown>): Answer {
  const body = JSON.stringify({ type: 'about:blank', status, ...members })
  return { status, headers: [...ownHeaders(contentPolicy([])), 'Content-Type', 'application/problem+json'], body }
}
