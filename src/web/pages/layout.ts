// The frame of every page of the gateway, and its headers. Pages load nothing from elsewhere. Values are always escaped: `!`
// before a placeholder is only for markup that this folder has built itself.

import { createHash } from 'node:crypto'
import { html } from 'ghtml'
import type { ResponseData } from '../context.js'
import type { Texts } from './i18n/en.js'
import { script, style } from './style.js'

/** What every page needs. */
export interface PageContext {
  texts: Texts
  /** The host that browsers see. */
  site: string
}

export interface PageParts {
  title: string
  /** Markup, built by a template. */
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
export function layout(context: PageContext, page: PageParts): string {
  const sending = page.sends === undefined ? '' : `<script>${script}</script>`
  return html`<!doctype html>
<html lang="${context.texts.lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${page.title} · ${context.site}</title>
<link rel="icon" href="!${icon}">
<style>!${style}</style>
</head>
<body>
<main class="${page.width ?? 'plain'}">
<p class="brand"><svg viewBox="0 0 32 32" aria-hidden="true"><rect class="tile" width="32" height="32" rx="8"/><path class="mark" d="M10 25V9.5L20 7v18M7 25h18M16.5 16v1.5"/></svg><span>${context.site}</span></p>
!${page.main}
</main>
<footer>Deskgate</footer>
!${sending}
</body>
</html>
`
}

/**
 * The Content-Security-Policy of every response of the gateway itself.
 * @param formTargets origins that forms may be sent to; browsers apply this to the redirects after a form too
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

/** Headers of every response of the gateway itself: names and values alternate. A route may replace the first. */
export function securityHeaders(policy: string): string[] {
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

export function pageResponse(status: number, body: string, policy: string): ResponseData {
  return { status, headers: [...securityHeaders(policy), 'Content-Type', 'text/html; charset=utf-8'], body }
}

/** A response for a program (RFC 9457). `type` stays about:blank: the other members say what happened. */
export function problemResponse(status: number, members: Record<string, unknown>): ResponseData {
  const body = JSON.stringify({ type: 'about:blank', status, ...members })
  return { status, headers: [...securityHeaders(contentPolicy([])), 'Content-Type', 'application/problem+json'], body }
}
