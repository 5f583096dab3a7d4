// The list of identity providers: they differ, have usable URLs, and at least one login is possible.

import type { Path } from '../problems.js'
import { isCleartext, isSameSite } from './gateway.js'
import type { Rules } from './rule.js'

/** Names of gateway paths, and of logins without an identity provider. */
const taken = new Set(['callback', 'breakglass', 'desk'])

export function providerRules(rules: Rules): void {
  somebodyCanLogIn(rules)
  names(rules)
  for (const [index, provider] of (rules.config.providers ?? []).entries()) {
    if (provider === undefined) continue
    const path = ['providers', index]
    cleartext(rules, path, provider)
    roleRules(rules, path, provider)
    if ((provider.clockSkew ?? 0) > 600_000) {
      rules.warning([...path, 'clockSkew'], 'more than 10m: expired messages are accepted for that long')
    }
  }
  otherSites(rules)
}

function somebodyCanLogIn({ config, written, problem }: Rules): void {
  const providers = written(['providers'])
  const none = providers === undefined || (Array.isArray(providers) && providers.length === 0)
  if (!none || config.login?.alsoAllowDeskAuthentication !== false) return
  problem(['providers'], 'no provider: nobody can log in', 'see config/examples')
}

function names({ config, problem, warning }: Rules): void {
  const ids = new Map<string, number>()
  const labels = new Map<string, number>()
  for (const [index, provider] of (config.providers ?? []).entries()) {
    const { id, name } = provider ?? {}
    if (id !== undefined) {
      const before = ids.get(id)
      const path = ['providers', index, 'id']
      if (taken.has(id)) problem(path, 'reserved by the gateway', 'choose another')
      else if (before === undefined) ids.set(id, index)
      else problem(path, `same id as providers[${before}]`)
    }
    if (name === undefined) continue
    const before = labels.get(name)
    if (before === undefined) labels.set(name, index)
    else warning(['providers', index, 'name'], `same name as providers[${before}]: agents cannot tell them apart`)
  }
}

type Provider = NonNullable<NonNullable<Rules['config']['providers']>[number]>

function urlsOf(provider: Provider): Record<string, string | undefined> {
  const { loginUrl, logoutUrl } = provider
  const urls = { loginUrl, logoutUrl, 'revocation.jwks': remote(provider.revocation?.jwks) }
  if (provider.type === 'saml') return { ...urls, metadata: remote(provider.metadata) }
  return { ...urls, jwks: provider.type === 'jwt' ? remote(provider.jwks) : undefined }
}

function remote(source: object | undefined): string | undefined {
  return source && 'url' in source && typeof source.url === 'string' ? source.url : undefined
}

function cleartext({ warning }: Rules, path: Path, provider: Provider): void {
  for (const [key, url] of Object.entries(urlsOf(provider))) {
    if (url === undefined || !isCleartext(url)) continue
    // Signed metadata cannot be replaced in transit, and contains no secret.
    if (key === 'metadata' && provider.type === 'saml' && provider.metadataCertificate) continue
    const keys = key === 'metadata' || key.endsWith('jwks')
    const reads = keys ? 'the keys can be replaced in transit' : 'what browsers send there can be read in transit'
    warning([...path, ...key.split('.')], `not https: ${reads}`)
  }
}

function roleRules({ warning }: Rules, path: Path, { type, roles, attributes }: Provider): void {
  const { map = {}, unmapped, default: fallback = [], split } = roles ?? {}
  const keys = Object.keys(map)
  const maps = keys.length > 0 || split !== null || unmapped === 'drop'
  if (type === 'saml' && roles && maps && attributes?.roles === undefined) {
    warning([...path, 'roles'], 'has no effect: attributes.roles names no attribute', 'such as groups')
  } else if (unmapped === 'drop' && keys.length === 0 && fallback.length === 0) {
    warning([...path, 'roles', 'unmapped'], 'drops every role: the map is empty')
  }
  const folded = new Map<string, string>()
  for (const key of keys) {
    const place = [...path, 'roles', 'map', key]
    if (key !== key.trim()) warning(place, 'never matches: begins or ends with white space')
    if (split && key.includes(split)) warning(place, 'never matches: values are split before they are mapped')
    const before = folded.get(key.toLowerCase())
    if (before !== undefined && map[before] !== map[key]) {
      warning(place, 'differs from another key only by case: keys are compared exactly as written')
    }
    folded.set(key.toLowerCase(), key)
  }
}

/** With an http publicUrl cookies are SameSite=Lax, so a POST from another site lacks the attempt's cookie. */
function otherSites({ config, warning }: Rules): void {
  const { publicUrl, providers = [] } = config
  if (!publicUrl?.startsWith('http:')) return
  let warned = 0
  const known = providers.map(provider => (provider === undefined ? undefined : urlsOf(provider).loginUrl))
  for (const [index, url] of known.entries()) {
    if (url === undefined || isSameSite(publicUrl, url)) continue
    const hint = 'use https, or one host name for both'
    warned++
    warning(['providers', index, 'loginUrl'], 'on another site: nobody can log in there while publicUrl is http', hint)
  }
  // Where metadata names the address, it is not known yet.
  if (warned > 0 || known.every(url => url !== undefined)) return
  warning(['publicUrl'], 'is http: an identity provider on another site cannot log anybody in', 'use https for that')
}

const key = ['login', 'alsoAllowDeskAuthentication']

export function deskLoginRules(rules: Rules): void {
  const settings = rules.config.login?.alsoAllowDeskAuthentication
  if (!settings) return
  const { paths = [], cookie, whoami } = settings
  paths.forEach((rule, index) => {
    if (rule !== undefined) onePath(rules, rule, index)
  })
  if (paths.length > 0 && !paths.some(rule => rule === undefined || /^(?:GET )?\//.test(rule))) {
    rules.problem([...key, 'paths'], 'names no page that an agent can visit', 'such as /login, without a method')
  }
  if (cookie !== undefined && /^(?:__Host-|__Secure-)?deskgate/i.test(cookie)) {
    rules.problem(
      [...key, 'cookie'],
      "same name as one of the gateway's own cookies",
      "set it to the name of Desk's session cookie",
    )
  }
  if (whoami !== undefined && isOwn(whoami, rules)) {
    rules.problem([...key, 'whoami'], `belongs to the gateway, like everything under ${rules.config.prefix}`)
  }
}

function onePath(rules: Rules, rule: string, index: number): void {
  const path = [...key, 'paths', index]
  const pattern = rule.replace(/^[A-Z]+ /, '')
  if (pattern === '/*')
    rules.problem(path, 'makes every path public: no login is required', "name only Desk's login page")
  if (isOwn(pattern, rules)) rules.problem(path, `belongs to the gateway, like everything under ${rules.config.prefix}`)
}

function isOwn(path: string, { config }: Rules): boolean {
  return config.prefix !== undefined && `${path.split('?', 1)[0]}/`.startsWith(`${config.prefix}/`)
}
