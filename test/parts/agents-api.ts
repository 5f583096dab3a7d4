// A help desk's API that lists its agents as JSON, page by page, or answers for one address; tests can make it fail.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { startHttpServer } from './http-server.js'

export type Person = Record<string, unknown>

export interface AgentsApi {
  /** The list's URL. */
  url: string
  /** One person's. */
  lookUpUrl: string
  people: Person[]
  perPage: number
  /** Where the next page is named. */
  paging: 'body' | 'link'
  /** Answers with ETags, and with 304. */
  etags: boolean
  /** Answers instead of the list. */
  wrong: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
  /** Targets of the requests so far, with `304 ` before those that were answered with 304. */
  seen: string[]
  headers: IncomingMessage['headers'][]
  close(): Promise<void>
}

export async function startAgentsApi(people: Person[] = []): Promise<AgentsApi> {
  const api: AgentsApi = {
    url: '',
    lookUpUrl: '',
    people,
    perPage: 1000,
    paging: 'body',
    etags: false,
    wrong: undefined,
    seen: [],
    headers: [],
    close: () => server.close(),
  }
  const server = await startHttpServer((request, response) => {
    api.headers.push(request.headers)
    const target = request.url ?? ''
    if (api.wrong) {
      api.seen.push(target)
      return api.wrong(request, response)
    }
    const { searchParams } = new URL(target, 'http://x')
    const email = searchParams.get('email')
    const page = Number(searchParams.get('page') ?? 1)
    const people = email === null ? api.people : api.people.filter(person => person.email === email)
    const body = bodyOf(api, people, page)
    const etag = `"${Buffer.from(body).toString('base64').slice(-40)}${body.length}"`
    const unchanged = api.etags && request.headers['if-none-match'] === etag
    api.seen.push(unchanged ? `304 ${target}` : target)
    if (api.etags) response.setHeader('etag', etag)
    if (api.paging === 'link' && page * api.perPage < people.length) {
      response.setHeader('link', `<?page=1>; rel="first", <?page=${page + 1}>; title="a, b"; rel="next last"`)
    }
    response.writeHead(unchanged ? 304 : 200, { 'content-type': 'application/json' })
    response.end(unchanged ? undefined : body)
  })
  api.url = `${server.url}/api/v2/users`
  api.lookUpUrl = `${server.url}/api/v2/users?email={email}`
  return api
}

function bodyOf(api: AgentsApi, people: Person[], page: number): string {
  const entries = people.slice((page - 1) * api.perPage, page * api.perPage)
  const more = api.paging === 'body' && page * api.perPage < people.length
  const links = { next: more ? { href: `/api/v2/users?page=${page + 1}` } : null }
  return JSON.stringify({ _embedded: { entries }, _links: links })
}

/** As in the example of the configuration reference. */
export const httpMap = { email: '/email', id: '/id', name: '/name', roles: '/level', active: '/available' }

export function person(name: string, changes: Person = {}): Person {
  return { email: `${name}@example.com`, id: name.length, name, level: 'agent', available: true, ...changes }
}
