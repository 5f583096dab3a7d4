// oauth2-proxy: its TOML configuration, its flags and its OAUTH2_PROXY_ variables.

import { parse, TomlError } from 'smol-toml'
import {
  address,
  duration,
  type Entry,
  flag,
  isOn,
  lists,
  many,
  one,
  originOf,
  type Peer,
  readFlags,
  rowsOf,
  text,
} from './convert.js'

/** Passwords are not copied: the variable is named in their place. */
const secretIn = (env: string) => one(value => (value ? { env } : undefined))
const hosts = (urls: string[]) => urls.map(one => one.replace(/^rediss?:\/\//, '').replace(/\/.*$/, '')).join(',')
const sent: [string, string][] = [
  ['id', 'X-Forwarded-User'],
  ['email', 'X-Forwarded-Email'],
  ['name', 'X-Forwarded-Preferred-Username'],
  ['roles', 'X-Forwarded-Groups'],
]

/** "GET=^/assets/" and the like: a path, and what comes after it. Other expressions have no counterpart. */
function routeOf(route: string): string | undefined {
  const [, method, path = '', end] = /^(?:([A-Z]+)=)?\^(\/(?:[\w/-]|\\\.)+)(\$|\.\*\$?)?$/.exec(route) ?? []
  return path && `${method ? `${method} ` : ''}${path.replaceAll('\\.', '.')}${end === '$' ? '' : '*'}`
}

const routes: Peer['converters'][string] = (entries, { lose }) => {
  const found = lists(entries).map(route => ({ route, ours: routeOf(route) }))
  for (const { route, ours } of found)
    if (!ours) lose(`not carried over: ${route} is not a plain path, see desk.public`)
  return found.flatMap(({ ours }) => ours || [])
}

export const oauth2Proxy: Peer = {
  rows: rowsOf(`
providers[].authnContext | | acr-values
none | targets are passed on as they came | allow-query-semicolons
providers[].allow.roles | after ~providers[].roles.map~ | allowed-group allowed-role
deskgate --config | one YAML file | alpha-config config
none | not needed: what is not a page navigation gets 401 | api-route
providers[].forceAuthn | a new login each time; other prompts have no counterpart | approval-prompt prompt
audit.to | logins, logouts and refusals cannot be switched off | auth-logging
none | JSON lines | auth-logging-format request-logging-format standard-logging-format
none | Deskgate speaks SAML 2.0, or takes a token that a provider posts; no OpenID Connect. Most providers offer SAML too |
  auth-request-response-mode code-challenge-method encode-state force-code-challenge-method
  insecure-oidc-allow-unverified-email insecure-oidc-skip-issuer-verification insecure-oidc-skip-nonce jwt-key
  jwt-key-file oidc-enabled-signing-alg oidc-extra-audience profile-url pubjwk-url redeem-url resource scope
  skip-claims-from-profile-url skip-oidc-discovery validate-url
agents[].file | YAML, one entry per agent | authenticated-emails-file
none | only for one kind of provider. Have the provider send groups, and use ~providers[].allow.roles~ |
  azure-graph-group-field azure-tenant bitbucket-repository bitbucket-team bitbucket-workspace
  entra-id-allowed-tenant entra-id-federated-token-auth github-org github-repo github-team github-token
  github-user gitlab-group gitlab-project google-admin-api-user-scope google-admin-email google-group
  google-service-account-json google-target-principal google-use-application-default-credentials
  google-use-organization-id keycloak-group
providers[].logoutUrl | in the browser, not in the background; or ~providers[].sloUrl~ | backend-logout-url
pages.texts | sentences of your own for each page, in any language | banner
pages.footer | plain text | footer
none | Desk reads a header, or verifies the assertion | basic-auth-password pass-basic-auth set-basic-auth
none | an invalid token is refused | bearer-token-login-fallback
providers[].entityId | only for SAML, where it is the name of this service | client-id
none | SAML needs none. A provider that posts a token: ~providers[].secrets~ | client-secret client-secret-file
deskgate check | | config-test
none | | convert-config-to-alpha redis-connection-idle-timeout redis-insecure-skip-tls-verify
none | fixed: ~__Host-~, Secure, HttpOnly, SameSite=Lax; each login has a cookie of its own for ten minutes |
  cookie-csrf-expire cookie-csrf-per-request cookie-csrf-per-request-limit cookie-csrf-samesite cookie-domain
  cookie-httponly cookie-name cookie-path cookie-samesite cookie-secure
sessions.lifetime | and ~sessions.idle~ | cookie-expire
none | no token is refreshed. ~agents[].http.refresh~ reads agents again | cookie-refresh
secrets | a key ring; at least 32 bytes each. Make new ones: old sessions do not move over |
  cookie-secret cookie-secret-file
pages.logo | a file, at most 96 kB | custom-sign-in-logo
pages.templates | Mustache, with other names: see [pages.md](../pages.md) | custom-templates-dir
none | connections to Desk are kept | disable-keep-alives
none | no passwords. Desk's own login: ~login.alsoAllowDeskAuthentication~ |
  display-htpasswd-form htpasswd-file htpasswd-user-group
agents[].domains | ~*~ is ~agents: [{ any: true }]~ | email-domain
none | the log goes to stdout; use the tools of your platform |
  errors-to-info-log exclude-logging-path logging-compress logging-filename logging-local-time logging-max-age
  logging-max-backups logging-max-size
providers[].bearer | with ~providers[].bearerAudience~ | extra-jwt-issuers skip-jwt-bearer-tokens
none | not needed: everything is passed on at once, WebSockets included | flush-interval proxy-websockets
none | by [the proxy in front](../fronts/README.md) | force-https
none | by the ~Accept~ header of the request | force-json-errors
ops.probes | ~/live~ and ~/ready~, on a listener of their own that is not logged |
  gcp-healthchecks ping-path ping-user-agent ready-path silence-ping-logging
listen | | http-address https-address
providers[].loginUrl | | login-url
ops.probes | | metrics-address metrics-secure-address
none | without TLS: use a network of your own | metrics-tls-cert-file metrics-tls-key-file
none | the claim is always ~aud~: ~providers[].audience~ | oidc-audience-claim
providers[].attributes.email | for SAML; in a token it is always ~email~ | oidc-email-claim
providers[].attributes.roles | | oidc-groups-claim
providers[].metadata | the address of the SAML metadata | oidc-issuer-url
providers[].jwks | for a provider of type ~jwt~; for SAML, the metadata has the certificates |
  oidc-jwks-url oidc-public-key-file
none | Desk gets no token of the provider, but ~identity.assertion.header~ |
  pass-access-token pass-authorization-header set-authorization-header
desk.host | ~public~ or ~upstream~ | pass-host-header
identity.headers | the identity is always sent to Desk; the names are yours. Not in responses |
  pass-user-headers prefer-email-to-user set-xauthrequest
providers[].type | ~saml~ or ~jwt~ | provider
none | the variable NODE_EXTRA_CA_CERTS | provider-ca-file use-system-trust-store
providers[].name | | provider-display-name
prefix | its default is ~/auth~ | proxy-prefix
none | always ~X-Forwarded-For~ | real-client-ip-header
publicUrl | the callbacks follow from it | redirect-url relative-redirect-url
sessions.store.tls.ca | | redis-ca-path
sessions.store.url | ~redis+sentinel://h1:26379,h2:26379/NAME/0~, ~redis+cluster://h1:6379,h2:6379~ |
  redis-cluster-connection-urls redis-connection-url redis-sentinel-connection-urls redis-sentinel-master-name
  redis-use-cluster redis-use-sentinel
sessions.store.password | | redis-password
sessions.store.sentinelPassword | | redis-sentinel-password
sessions.store.username | | redis-username
none | always ~X-Request-Id~ | request-id-header
log.access | | request-logging
trustedProxies | name the networks of your proxies; by default none is trusted | reverse-proxy trusted-proxy-ip
none | the cookie is opaque | session-cookie-minimal
sessions.store | ~memory~, or a Redis; never in the cookie | session-store-type
none | ~deskgate explain REFERENCE~ shows every check of a refused login | show-debug-on-error
identity.assertion.keys | a signature of the identity (ES256), not of the request | signature-key
desk.public | ~OPTIONS /api/*~, by path | skip-auth-preflight
desk.public | a path with ~*~ only at the end, no regular expressions | skip-auth-regex skip-auth-route
none | always: identity headers of clients are removed everywhere | skip-auth-strip-headers
login.chooser | ~auto~ skips the page where there is one provider | skip-provider-button
none | certificates are always verified; for Desk's own authority ~desk.tls.ca~ |
  ssl-insecure-skip-verify ssl-upstream-insecure-skip-verify
log.level | | standard-logging
tls.cert | | tls-cert-file
none | TLS 1.2 or newer, with Node's ciphers | tls-cipher-suite tls-min-version
tls.key | | tls-key-file
none | an address is never enough. It can be required: ~access.paths[].from~ | trusted-ip
desk.url | one; no files and no static responses | upstream
desk.timeout | until the head of the response | upstream-timeout
providers[].attributes.id | | user-id-claim
deskgate --version | | version
none | after a login only addresses of ~publicUrl~ are accepted | whitelist-domain
`),
  read(source) {
    if (/^(\s*(Environment|ExecStart)=)?[^#=\n]*(--[a-z]|OAUTH2_PROXY_[A-Z])/m.test(source)) {
      const flags = readFlags(source, 'OAUTH2_PROXY')
      return 'problem' in flags ? flags : { entries: flags.entries.map(named), left: flags.left }
    }
    try {
      return {
        entries: Object.entries(parse(source)).map(([option, value]) =>
          named({ option, values: [value].flat().map(String) }),
        ),
        left: [],
      }
    } catch (error) {
      // Its message quotes the line, which may hold a secret.
      if (error instanceof TomlError) return { problem: `invalid TOML at line ${error.line}, column ${error.column}` }
      throw error
    }
  },
  limits:
    /^(allowed|alpha-config|config$|authenticated-emails|azure-graph|azure-tenant|bitbucket|entra-id-allowed|github|gitlab|google-group|htpasswd|keycloak)|tenant/,
  defaults: [
    { option: 'pass-user-headers', values: ['true'] },
    { option: 'oidc-groups-claim', values: ['groups'] },
  ],
  converters: {
    'allowed-group': many,
    'allowed-role': many,
    'authenticated-emails-file': () => 'agents.yaml',
    'cookie-expire': duration,
    'custom-sign-in-logo': one(value => (/^$|^-$|:\/\//.test(value) ? undefined : value)),
    'email-domain': (entries, { lose }) => {
      const domains = lists(entries)
      const exact = domains.filter(domain => /^[^.*@]/.test(domain))
      if (domains.includes('*'))
        lose('* lets in everyone whom the provider vouches for: name the agents, or set agents: [{ any: true }]')
      if (domains.some(domain => domain.startsWith('.')))
        lose('subdomains are not carried over: name each in agents[].domains')
      return exact.length > 0 ? exact : undefined
    },
    footer: one(value => (/^$|^-$|[<&]/.test(value) ? undefined : value)),
    'http-address': address,
    'https-address': (entries, conversion) => {
      const { all } = conversion
      return all.has('tls-cert-file') && !all.has('http-address') ? address(entries, conversion) : undefined
    },
    'oidc-email-claim': text,
    'oidc-groups-claim': text,
    'user-id-claim': text,
    'pass-host-header': one(value => (isOn(value) === false ? 'upstream' : 'public')),
    'pass-user-headers': (entries, { also }) => {
      if (!isOn(entries.at(-1)?.values[0] ?? '')) return undefined
      also('identity.format.encoding', 'utf8')
      return Object.fromEntries(sent)
    },
    prompt: one(value => (value === 'login' ? true : undefined)),
    'provider-display-name': text,
    'proxy-prefix': text,
    'redirect-url': one(value => originOf(value, /.*/)),
    'redis-ca-path': text,
    'redis-connection-url': (entries, { lose }) => {
      const url = entries.at(-1)?.values[0] ?? ''
      if (!/^[^@]*@/.test(url)) return url || undefined
      lose('holds a password: put the URL into the variable REDIS_URL')
      return { env: 'REDIS_URL' }
    },
    'redis-sentinel-connection-urls': (entries, { all }) => {
      const name = all.get('redis-sentinel-master-name')?.at(-1)?.values[0]
      return name && !lists(entries).join().includes('@')
        ? `redis+sentinel://${hosts(lists(entries))}/${name}/0`
        : undefined
    },
    'redis-cluster-connection-urls': entries =>
      lists(entries).join().includes('@') ? undefined : `redis+cluster://${hosts(lists(entries))}`,
    'redis-password': secretIn('REDIS_PASSWORD'),
    'redis-sentinel-password': secretIn('REDIS_SENTINEL_PASSWORD'),
    'redis-username': text,
    'request-logging': flag,
    'skip-auth-regex': routes,
    'skip-auth-route': routes,
    'skip-provider-button': one(value => (isOn(value) ? 'auto' : 'always')),
    'tls-cert-file': text,
    'tls-key-file': text,
    'trusted-proxy-ip': many,
    upstream: (entries, { lose }) => {
      const [first, ...others] = lists(entries)
      if (others.length > 0) lose(`there is one Desk: ${others.length} further upstreams are not carried over`)
      return originOf(first ?? '')
    },
    'upstream-timeout': duration,
  },
}

/** Files and variables write upstreams and skip_auth_routes. */
function named({ option, values }: Entry): Entry {
  const name = option.toLowerCase().replaceAll('_', '-')
  const single = name.replace(/s$/, '')
  return { option: oauth2Proxy.rows.has(name) || !oauth2Proxy.rows.has(single) ? name : single, values }
}
