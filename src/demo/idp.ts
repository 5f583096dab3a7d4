// The demo's identity provider: SAML 2.0 and JWT for made-up people, without passwords and without state. It
// signs its messages, and sends them only to the one gateway that it was made for. Never for production.

import { inflateRawSync } from 'node:zlib'
import { DOMParser } from '@xmldom/xmldom'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createIdpMessages, type IdpMessages, type IdpMessagesDeps } from './idp-messages.js'
import * as pages from './idp-pages.js'
import { createListener, textOf } from './listener.js'
import type { Person } from './people.js'

interface DemoIdpDeps extends IdpMessagesDeps {
  people: readonly Person[]
  /** PEM; plain HTTP without it. */
  tls?: { cert: string; key: string } | undefined
}

/** The paths that a gateway's configuration names. */
export const demoIdpPaths = {
  samlLogin: '/saml/sso',
  metadata: '/saml/metadata',
  jwtLogin: '/jwt/login',
  logout: '/logout',
}

/** The most characters of a return_to, state or RelayState. */
const longest = 16_384

export function createDemoIdp(deps: DemoIdpDeps): FastifyInstance {
  const { publicUrl } = deps.gateway
  const app = createListener({ tls: deps.tls, policy: policyOf(publicUrl, "'none'"), errorPage })
  const idp = { ...deps, answers: createIdpMessages(deps) }

  app.get('/', (_request, reply) => sendPage(reply, pages.homePage(publicUrl)))
  app.get(demoIdpPaths.logout, (_request, reply) => sendPage(reply, pages.loggedOutPage(publicUrl)))
  app.get(demoIdpPaths.metadata, (_request, reply) =>
    reply.type('application/samlmetadata+xml').send(idp.answers.metadata()),
  )
  addSaml(app, idp)
  addJwt(app, idp)
  return app
}

type Idp = DemoIdpDeps & { answers: IdpMessages }

function addSaml(app: FastifyInstance, idp: Idp): void {
  const { people, gateway, answers } = idp
  const asked = (fields: pages.Fields) =>
    fields.SAMLRequest === undefined ? undefined : readAuthnRequest(fields.SAMLRequest, gateway)

  app.get(
    demoIdpPaths.samlLogin,
    guarded((request, reply) => {
      const fields = carried(request.query, ['SAMLRequest', 'RelayState'])
      asked(fields)
      return sendPage(reply, pages.chooserPage(people, 'SAML', '/saml/answer', fields))
    }),
  )
  app.post(
    '/saml/answer',
    guarded((request, reply) => {
      const person = chosen(people, request.body)
      const answer = answers.saml(person, asked(carried(request.body, ['SAMLRequest']))?.id)
      const fields = { SAMLResponse: answer, ...carried(request.body, ['RelayState']) }
      return postToGateway(idp, reply, { person, action: gateway.acsUrl, fields })
    }),
  )
}

function addJwt(app: FastifyInstance, idp: Idp): void {
  const { people, gateway, answers } = idp
  app.get(
    demoIdpPaths.jwtLogin,
    guarded((request, reply) => {
      const fields = carried(request.query, ['return_to', 'state'])
      return sendPage(reply, pages.chooserPage(people, 'JWT', '/jwt/answer', fields))
    }),
  )
  app.post(
    '/jwt/answer',
    guarded(async (request, reply) => {
      const person = chosen(people, request.body)
      const fields = { jwt: await answers.jwt(person), ...carried(request.body, ['return_to', 'state']) }
      return postToGateway(idp, reply, { person, action: gateway.jwtCallback, fields })
    }),
  )
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown

/** Requests that cannot be answered get a page that says why. */
function guarded(answer: Handler): Handler {
  return async (request, reply) => {
    try {
      return await answer(request, reply)
    } catch (error) {
      if (!(error instanceof Unanswerable)) throw error
      return sendPage(reply.code(400), pages.refusalPage(error.message))
    }
  }
}

function sendPage(reply: FastifyReply, page: string): FastifyReply {
  return reply.type('text/html; charset=utf-8').send(page)
}

function postToGateway(idp: Idp, reply: FastifyReply, to: { person: Person; action: string; fields: pages.Fields }) {
  const nonce = idp.random(16).toString('base64')
  reply.header('content-security-policy', policyOf(idp.gateway.publicUrl, `'nonce-${nonce}'`))
  return sendPage(reply, pages.postToGatewayPage(to.person, to.action, to.fields, nonce))
}

/** `form-action` also applies to the redirect that follows a posted form, so it names the gateway. */
function policyOf(publicUrl: string, scripts: string): string {
  return [
    `default-src 'none'; style-src ${pages.styleSource}; script-src ${scripts}`,
    `form-action 'self' ${publicUrl}; base-uri 'none'; frame-ancestors 'none'`,
  ].join('; ')
}

/** The person whom the form names. Throws Unanswerable when there is none. */
function chosen(people: readonly Person[], form: unknown): Person {
  const id = textOf(form, 'person', 64)
  const person = people.find(someone => someone.id === id)
  if (!person) throw new Unanswerable('The form names nobody who is known here.')
  return person
}

/** The named fields that are present. Throws Unanswerable if one is not a single string, or too long. */
function carried(source: unknown, names: string[]): pages.Fields {
  return Object.fromEntries(
    names.flatMap(name => {
      if (typeof source !== 'object' || source === null || !Object.hasOwn(source, name)) return []
      const value = textOf(source, name, longest)
      if (value === undefined) throw new Unanswerable(`The field ${name} is not one short string.`)
      return [[name, value]]
    }),
  )
}

function errorPage(status: number): string {
  return pages.refusalPage(status === 404 ? 'There is no such page here.' : 'That did not work. Please start again.')
}

/** An AuthnRequest that may be answered: what the response must repeat. */
export interface AuthnRequest {
  id: string
}

/** Why a request is not answered, in a sentence for the page. */
class Unanswerable extends Error {
  override name = 'Unanswerable'
}

/** The most characters of the parameter, and the most bytes that it may inflate to. */
const longestMessage = 16_384
const largestXml = 65_536
const protocol = 'urn:oasis:names:tc:SAML:2.0:protocol'
const assertion = 'urn:oasis:names:tc:SAML:2.0:assertion'
/** An XML ID (NCName) of plain characters. */
const id = /^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/

/**
 * Reads the parameter `SAMLRequest` (SAML Bindings 3.4.4.1: DEFLATE, then base64). Throws Unanswerable.
 * `entityId` and `acsUrl` are the gateway's: a request of another service, or for another address, is refused.
 */
export function readAuthnRequest(message: string, gateway: { entityId: string; acsUrl: string }): AuthnRequest {
  const root = parse(inflate(message))
  if (root.namespaceURI !== protocol || root.localName !== 'AuthnRequest') {
    throw new Unanswerable('The message is not a SAML 2.0 AuthnRequest.')
  }
  const issuer = root.getElementsByTagNameNS(assertion, 'Issuer').item(0)?.textContent?.trim()
  if (issuer !== gateway.entityId) throw new Unanswerable('The request comes from a service that is not known here.')
  // Attack: with an assertion consumer service of their choice, attackers would get the assertion.
  const acsUrl = root.getAttribute('AssertionConsumerServiceURL')
  if (acsUrl && acsUrl !== gateway.acsUrl) throw new Unanswerable('The request names another address for the answer.')
  const requestId = root.getAttribute('ID') ?? ''
  if (!id.test(requestId)) throw new Unanswerable('The request has no usable ID.')
  return { id: requestId }
}

function inflate(message: string): string {
  if (message.length > longestMessage) throw new Unanswerable('The request is too long.')
  try {
    // Attack: a few kilobytes of DEFLATE can hold gigabytes.
    return inflateRawSync(Buffer.from(message, 'base64'), { maxOutputLength: largestXml }).toString('utf8')
  } catch {
    throw new Unanswerable('The request is not DEFLATE of at most 64 kB.')
  }
}

function parse(xml: string): Element {
  if (xml.includes('<!')) throw new Unanswerable('The request holds a DOCTYPE, comment or CDATA.')
  const refuse = () => {
    throw new Unanswerable('The request is not well-formed XML.')
  }
  const parser = new DOMParser({ errorHandler: { warning: refuse, error: refuse, fatalError: refuse } })
  return parser.parseFromString(xml, 'text/xml')?.documentElement ?? refuse()
}
