// One reading of a list of agents over HTTP, page after page, bounded in pages, agents, bytes and time. A page that has not
// changed is neither sent nor parsed again. It must never leave the origin that the operator named, and never take half
// a list for a whole one.

import { hash } from 'node:crypto'
import { setImmediate as breathe } from 'node:timers/promises'
import type { AgentEntry } from '../../../config/agents.js'
import type { HttpAgents } from '../../../config/schema/agents.js'
import type { Clock } from '../../../core/contracts.js'
import { pointAt } from '../../../core/json-pointer.js'
import type { Fetched, FetchText } from '../../../runtime/http-client.js'
import { sameEntry } from '../agents-list.js'
import { nextLink } from './link-header.js'
import type { MapEntry } from './mapping.js'

/** A reading that brings no list. The message is for the operator and says which page. */
export class ListUnusable extends Error {
  override name = 'ListUnusable'
}

export interface ListPage {
  etag: string | undefined
  /** Of the text: many APIs send no ETag. */
  digest: string
  agents: AgentEntry[]
  /** What is wrong with single entries: `page 2, entry 7: has no e-mail (/email)`. */
  troubles: string[]
  next: string | undefined
}

/** The pages of a reading by their URL, in order. */
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
export const mostPages = 10_000
export const mostAgents = 250_000
/** Milliseconds for all pages together. */
const longestReading = 300_000
/** Entries that are read before others get their turn. */
const together = 1000

/** Reads every page; `known` are those of the reading before. Throws ListUnusable and FetchFailed. */
export async function readPages(deps: PagesDeps, known: ListPages): Promise<ListPages> {
  const { settings, clock } = deps
  const origin = new URL(settings.url).origin
  const begun = clock.now()
  const pages = new Map<string, ListPage>()
  let agents = 0
  let url: string | undefined = settings.url
  while (url !== undefined) {
    const number = pages.size + 1
    if (number > mostPages) throw new ListUnusable(`has more than ${mostPages} pages`)
    if (Math.abs(clock.now() - begun) > longestReading)
      throw new ListUnusable(`page ${number}: the list takes too long`)
    const page = await readPage(deps, { url, number }, known.get(url))
    pages.set(url, page)
    agents += page.agents.length
    if (agents > mostAgents) throw new ListUnusable(`page ${number}: there are more than ${mostAgents} agents`)
    url = page.next
    if (url === undefined) break
    // Attack: the headers hold the operator's token, and are for this one server.
    if (new URL(url).origin !== origin) throw new ListUnusable(`page ${number}: the next page is at another origin`)
    if (pages.has(url)) throw new ListUnusable(`page ${number}: the next page is one that was read already`)
  }
  return pages
}

interface Which {
  url: string
  number: number
}

async function readPage(deps: PagesDeps, { url, number }: Which, known: ListPage | undefined): Promise<ListPage> {
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
    throw new ListUnusable(`${place}: is no JSON`)
  }
}

async function mapAll(entries: unknown[], mapEntry: MapEntry, place: string) {
  const agents: AgentEntry[] = []
  const troubles: string[] = []
  for (let index = 0; index < entries.length; index++) {
    if (index % together === together - 1) await breathe()
    const { agent, trouble } = mapEntry(entries[index])
    if (agent) agents.push(agent)
    if (trouble !== undefined) troubles.push(`${place}, entry ${index + 1}: ${trouble}`)
  }
  return { agents, troubles }
}

/** Where the list goes on: an absolute URL, or one to be taken from this page's; nothing: it is the last. */
function nextOf(
  { settings }: PagesDeps,
  { url, number }: Which,
  { body, fetched }: { body: unknown; fetched: Fetched },
) {
  const written = settings.next === undefined ? nextLink(fetched.link) : pointAt(body, settings.next)
  if (written === undefined || written === null || written === '' || written === false) return undefined
  const next = typeof written === 'string' && URL.canParse(written, url) ? new URL(written, url) : undefined
  if (!next || !/^https?:$/.test(next.protocol) || next.username !== '' || next.password !== '') {
    throw new ListUnusable(`page ${number}: where the next page is, there is no URL`)
  }
  next.hash = ''
  return next.href
}

/** Whether two readings brought the very same entries: then nothing has to be compared. */
export function samePages(a: ListPages, b: ListPages): boolean {
  if (a.size !== b.size) return false
  for (const [url, { agents }] of a) if (b.get(url)?.agents !== agents) return false
  return true
}

/** The list that the pages make. Who stands in it twice in different ways is inactive: nobody knows which one counts. */
export async function listOf(pages: ListPages): Promise<{ agents: Map<string, AgentEntry>; troubles: string[] }> {
  const agents = new Map<string, AgentEntry>()
  const troubles: string[] = []
  const told = new Set<string>()
  let count = 0
  for (const page of pages.values()) {
    for (const trouble of page.troubles) troubles.push(trouble)
    for (const agent of page.agents) {
      if (++count % (together * 10) === 0) await breathe()
      const before = agents.get(agent.email)
      if (before === undefined) agents.set(agent.email, agent)
      else if (!sameEntry(before, agent)) {
        agents.set(agent.email, { email: agent.email, roles: [], active: false })
        if (!told.has(agent.email)) troubles.push(`${agent.email} is listed twice in different ways: refused`)
        told.add(agent.email)
      }
    }
  }
  return { agents, troubles }
}
