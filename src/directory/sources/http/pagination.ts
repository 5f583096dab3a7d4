// Reads a list of agents over HTTP, page by page, bounded in pages, agents, bytes and time. An unchanged page is
// neither sent nor parsed again. It must never leave the origin of the operator's URL, and never take a part of the
// list for the whole.

import { hash } from 'node:crypto'
import { setImmediate as breathe } from 'node:timers/promises'
import type { AgentEntry } from '../../../config/agents.js'
import { sameEntry } from '../../../config/agents-files.js'
import type { HttpAgents } from '../../../config/schema/agents.js'
import type { Clock } from '../../../core/clock.js'
import { pointAt } from '../../../core/json-pointer.js'
import type { FetchedText, FetchText } from '../../../runtime/http-client.js'
import type { MapEntry } from './mapping.js'

/** The list cannot be used. The message is for the operator and names the page. */
export class ListUnusable extends Error {
  override name = 'ListUnusable'
}

export interface ListPage {
  etag: string | undefined
  /** Of the text: many APIs send no ETag. */
  digest: string
  agents: AgentEntry[]
  /** Problems of single entries: `page 2, entry 7: has no e-mail address (/email)`. */
  problems: string[]
  next: string | undefined
}

/** The pages of a list by their URL, in order. */
export type ListPages = ReadonlyMap<string, ListPage>

export interface PagesDeps {
  settings: Pick<HttpAgents, 'url' | 'list' | 'next'>
  /** Header values in the clear. */
  headers: Readonly<Record<string, string>>
  mapEntry: MapEntry
  fetchText: FetchText
  clock: Clock
}

/** A page may be a whole list. Milliseconds and bytes. */
export const pageLimits = { ms: 30_000, bytes: 64 * 1024 * 1024 }
export const maxPages = 10_000
export const maxAgents = 250_000
/** Milliseconds for all pages together. */
const maxReadTime = 300_000
/** Entries that are read before other work gets its turn. */
const batchSize = 1000

/** One link: its target, then its parameters with values as tokens or quoted strings (RFC 8288 3). */
const linkPattern = /<([^<>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,]+))?)*)/g
const relPattern = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s";,]+))/i

/** Reads every page; `known` are the pages of the previous read. Throws ListUnusable and FetchFailed. */
export async function readPages(deps: PagesDeps, known: ListPages): Promise<ListPages> {
  const { settings, clock } = deps
  const origin = new URL(settings.url).origin
  const startedAt = clock.now()
  const pages = new Map<string, ListPage>()
  let agents = 0
  let url: string | undefined = settings.url
  while (url !== undefined) {
    const number = pages.size + 1
    if (number > maxPages) throw new ListUnusable(`the list has more than ${maxPages} pages`)
    if (Math.abs(clock.now() - startedAt) > maxReadTime)
      throw new ListUnusable(`page ${number}: the list takes too long`)
    const page = await readPage(deps, { url, number }, known.get(url))
    pages.set(url, page)
    agents += page.agents.length
    if (agents > maxAgents) throw new ListUnusable(`page ${number}: there are more than ${maxAgents} agents`)
    url = page.next
    if (url === undefined) break
    // Attack: the headers hold the operator's token, which is for this one server only.
    if (new URL(url).origin !== origin) throw new ListUnusable(`page ${number}: the next page is at another origin`)
    if (pages.has(url)) throw new ListUnusable(`page ${number}: the next page is one that was read already`)
  }
  return pages
}

interface PageRef {
  url: string
  number: number
}

async function readPage(deps: PagesDeps, { url, number }: PageRef, known: ListPage | undefined): Promise<ListPage> {
  const { fetchText, headers } = deps
  const fetched = await fetchText(url, { ...pageLimits, headers, etag: known?.etag })
  if (fetched.unchanged && known) return known
  const digest = hash('sha256', fetched.text, 'base64url')
  if (known?.digest === digest) {
    const next =
      deps.settings.next === undefined ? nextOf(deps, { url, number }, { body: undefined, fetched }) : known.next
    return { ...known, etag: fetched.etag, next }
  }
  const place = `page ${number}`
  const body = parse(fetched.text, place)
  const entries = pointAt(body, deps.settings.list)
  if (!Array.isArray(entries)) {
    throw new ListUnusable(`${place}: there is no list at ${deps.settings.list || 'the top'} (see list)`)
  }
  const mapped = await mapAll(entries, deps.mapEntry, place)
  return { etag: fetched.etag, digest, ...mapped, next: nextOf(deps, { url, number }, { body, fetched }) }
}

export function parse(text: string, place: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The error quotes the text.
    throw new ListUnusable(`${place}: invalid JSON`)
  }
}

async function mapAll(entries: unknown[], mapEntry: MapEntry, place: string) {
  const agents: AgentEntry[] = []
  const problems: string[] = []
  for (let index = 0; index < entries.length; index++) {
    if (index % batchSize === batchSize - 1) await breathe()
    const { agent, problem } = mapEntry(entries[index])
    if (agent) agents.push(agent)
    if (problem !== undefined) problems.push(`${place}, entry ${index + 1}: ${problem}`)
  }
  return { agents, problems }
}

/** The URL of the next page, resolved against this page; undefined after the last page. */
function nextOf(
  { settings }: PagesDeps,
  { url, number }: PageRef,
  { body, fetched }: { body: unknown; fetched: FetchedText },
) {
  const written = settings.next === undefined ? nextLink(fetched.link) : pointAt(body, settings.next)
  if (written === undefined || written === null || written === '' || written === false) return undefined
  const next = typeof written === 'string' && URL.canParse(written, url) ? new URL(written, url) : undefined
  if (!next || !/^https?:$/.test(next.protocol) || next.username !== '' || next.password !== '') {
    throw new ListUnusable(`page ${number}: the value at next is not a URL`)
  }
  next.hash = ''
  return next.href
}

/** Whether two reads brought the very same entries: then nothing has to be compared. */
export function samePages(a: ListPages, b: ListPages): boolean {
  if (a.size !== b.size) return false
  for (const [url, { agents }] of a) if (b.get(url)?.agents !== agents) return false
  return true
}

/** The list of all pages. An agent with two different entries is inactive, because either may be wrong. */
export async function listOf(pages: ListPages): Promise<{ agents: Map<string, AgentEntry>; problems: string[] }> {
  const agents = new Map<string, AgentEntry>()
  const problems: string[] = []
  const reported = new Set<string>()
  let count = 0
  for (const page of pages.values()) {
    for (const problem of page.problems) problems.push(problem)
    for (const agent of page.agents) {
      if (++count % (batchSize * 10) === 0) await breathe()
      const before = agents.get(agent.email)
      if (before === undefined) agents.set(agent.email, agent)
      else if (!sameEntry(before, agent)) {
        agents.set(agent.email, { email: agent.email, roles: [], active: false })
        if (!reported.has(agent.email))
          problems.push(`${agent.email} is listed twice with different values; this agent is refused`)
        reported.add(agent.email)
      }
    }
  }
  return { agents, problems }
}

/** The target of the first link of a Link header (RFC 8288) whose relations hold `next`; undefined when there is none. */
function nextLink(header: string | undefined): string | undefined {
  for (const [, target, parameters = ''] of (header ?? '').slice(0, 8192).matchAll(linkPattern)) {
    // RFC 8288 3.3: only the first rel of a link counts, and it may name several relations.
    const [, quoted, token] = relPattern.exec(parameters) ?? []
    const names = (quoted ?? token ?? '').toLowerCase().split(/\s+/)
    if (names.includes('next')) return target
  }
  return undefined
}
