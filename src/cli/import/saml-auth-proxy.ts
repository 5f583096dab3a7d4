// saml-auth-proxy: its flags and SAML_PROXY_ variables.

import {
  address,
  duration,
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

export const samlAuthProxy: Peer = {
  rows: rowsOf(`
deskgate --version | | version
listen | | bind
publicUrl | an origin without a path | base-url
desk.url | | backend-url
providers[].entityId | or ~site~ | entity-id
providers[].metadata | an address, or a file without ~file://~ | idp-metadata-url
none | the variable NODE_EXTRA_CA_CERTS | idp-ca-path
none | any format is accepted. The metadata names ~emailAddress~, or ~unspecified~ where ~providers[].attributes.email~ names an attribute |
  name-id-format
providers[].key | | sp-key-path
providers[].certificate | | sp-cert-path
identity.headers.email | where ~providers[].attributes.email~ is ~NameID~ | name-id-mapping
providers[].attributes.headers | ~header: attribute~, the other way round | attribute-header-mappings
none | each attribute is named; all others stay out | attribute-header-wildcard
none | the audit log has each login | new-auth-webhook-url
providers[].attributes.roles | | authorize-attribute
providers[].allow.roles | | authorize-values
none | fixed: ~__Host-deskgate~, for this host alone | cookie-name cookie-domain
sessions.lifetime | and ~sessions.idle~; the default there is 2 h, here 24 h | cookie-max-age
providers[].idpInitiated | | allow-idp-initiated
none | Deskgate is in the path of every request | auth-verify auth-verify-path auth-verify-require-login
log.level | ~debug~; a refused login is explained by ~deskgate explain~ | debug
none | the state is sealed, and belongs to one login | static-relay-state
desk.public | names what needs no login; everything else does | initiate-session-path
providers[].signRequests | | sign-requests
none | the session is not in the cookie | encrypt-jwt
`),
  read: source => readFlags(source, 'SAML_PROXY'),
  converters: {
    bind: address,
    'base-url': one(value => originOf(value)),
    'backend-url': one(value => originOf(value)),
    'entity-id': text,
    'idp-metadata-url': one(value => value.replace(/^file:\/\//, '') || undefined),
    'sp-key-path': text,
    'sp-cert-path': text,
    'name-id-mapping': text,
    'attribute-header-mappings': entries => {
      const pairs = lists(entries).map(pair => pair.split('=').map(part => part.trim()))
      const whole = pairs.every(([attribute, header]) => attribute && header)
      return whole ? Object.fromEntries(pairs.map(([attribute, header]) => [header, attribute])) : undefined
    },
    'authorize-attribute': text,
    'authorize-values': many,
    'cookie-max-age': duration,
    'allow-idp-initiated': flag,
    debug: one(value => (isOn(value) ? 'debug' : 'info')),
    'sign-requests': flag,
  },
}
