// What the routes of the ops API say of themselves, and how they answer an error. GET /api/openapi.json is an OpenAPI 3.1
// document made of that: a route without it cannot be registered.

import type { FastifyInstance, FastifyReply } from 'fastify'
import * as z from 'zod'

/** What the document says of one route. */
export interface Operation {
  summary: string
  /** The parameters of path and query, all of them strings: what each means. */
  path?: Record<string, string>
  query?: Record<string, string>
  body?: z.ZodType
  /** By status. What is said here replaces what every route under /api answers. */
  answers: Record<number, Answer>
}

interface Answer {
  description: string
  /** By media type; problem+json where it is left out. */
  content?: Record<string, z.ZodType>
}

declare module 'fastify' {
  interface FastifyContextConfig {
    operation?: Operation
  }
}

/** A response in JSON. */
export function json(description: string, schema: z.ZodType): Answer {
  return { description, content: { 'application/json': schema } }
}

export const storeDown: Answer = { description: 'The store does not answer. Retry-After says when to ask again.' }

const problemSchema = z.strictObject({
  status: z.int(),
  title: z.string(),
  detail: z.string().exactOptional().meta({ description: 'What to do about it.' }),
})

/** Of every route under /api. */
const common: Record<number, Answer> = {
  401: { description: 'The admin token is missing or wrong.' },
  404: { description: 'ops.adminToken is not set: the API is off.' },
  429: { description: 'Too many wrong admin tokens from this address. Retry-After says when to ask again.' },
}

interface Route {
  method: string
  url: string
  operation: Operation
}

/** Call it before any route is registered. The result makes the document of all routes so far. */
export function collectOperations(app: FastifyInstance): () => object {
  const routes: Route[] = []
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const one of [method].flat()) {
      if (one === 'HEAD') continue
      const operation = config?.operation
      if (!operation) throw new Error(`${one} ${url} is not documented: give the route a config.operation`)
      routes.push({ method: one.toLowerCase(), url, operation })
    }
  })
  return () => documentOf(routes)
}

/** Registers the route on the API's own context, behind the admin token. */
export function openapiRoute(app: FastifyInstance, document: () => object): void {
  const operation: Operation = {
    summary: 'This document.',
    answers: { 200: json('OpenAPI 3.1.', z.looseObject({ openapi: z.string(), paths: z.looseObject({}) })) },
  }
  let made: object | undefined
  app.get('/openapi.json', { config: { operation } }, async () => {
    made ??= document()
    return made
  })
}

function documentOf(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const { method, url, operation } of routes) {
    const path = url.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [method]: describe(operation, url.startsWith('/api/')) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Deskgate ops API',
      version: '1',
      description: 'For operators and their programs, on the listener of ops.listen.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: { Problem: schemaOf(problemSchema, 'output') },
      securitySchemes: { adminToken: { type: 'http', scheme: 'bearer', description: 'ops.adminToken' } },
    },
  }
}

function describe({ summary, path, query, body, answers }: Operation, secured: boolean): object {
  const parameters = [
    ...Object.entries(path ?? {}).map(([name, description]) => ({ in: 'path', name, required: true, description })),
    ...Object.entries(query ?? {}).map(([name, description]) => ({ in: 'query', name, description })),
  ]
  const all = Object.entries({ ...(secured ? common : {}), ...answers })
  return {
    summary,
    security: secured ? [{ adminToken: [] }] : [],
    ...(parameters.length > 0 ? { parameters: parameters.map(one => ({ ...one, schema: { type: 'string' } })) } : {}),
    ...(body ? { requestBody: { required: true, content: contentOf({ 'application/json': body }, 'input') } } : {}),
    responses: {
      ...Object.fromEntries(all.map(([status, answer]) => [status, responseOf(answer)])),
      default: responseOf({ description: 'Any other failure.' }),
    },
  }
}

function responseOf({ description, content }: Answer): object {
  const problem = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }
  return { description, content: content ? contentOf(content, 'output') : problem }
}

function contentOf(content: Record<string, z.ZodType>, io: 'input' | 'output'): object {
  return Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema: schemaOf(schema, io) }]))
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io })
  return rest
}

/**
 * An error as problem+json (RFC 9457); it never shows an exception. `members`: `detail` (what the operator can do about
 * it), or other members.
 */
export function problem(reply: FastifyReply, status: number, title: string, members: Record<string, unknown> = {}) {
  // As bytes: Fastify adds a charset to texts, but JSON types have none (RFC 8259 11).
  const body = Buffer.from(JSON.stringify({ status, title, ...members }))
  return reply.code(status).type('application/problem+json').send(body)
}
