// mod_auth_mellon: the directives of Apache's configuration, with the <Location> that they stand in.

import { printable } from '../../config/problems.js'
import { type Converter, duration, type Entry, isOn, one, originOf, type Peer, rowsOf, text } from './convert.js'

const values = (entries: Entry[]) => entries.flatMap(entry => entry.values)
const beneath = (scope: string) =>
  scope === '/' ? ['/*'] : [scope.replace(/\/$/, ''), `${scope.replace(/\/$/, '')}/*`]
const usable = (scope: string | undefined): scope is string => scope !== undefined && /^\/[^\s*?#%;\\]*$/.test(scope)

/** Off makes a path public, unless a login is required at or beneath it. */
const enable: Converter = (entries, { lose }) => {
  const guarded = entries.filter(entry => entry.values[0]?.toLowerCase() === 'auth')
  return entries.flatMap(({ values: [value = ''], scope }) => {
    const mode = value.toLowerCase()
    if (mode === 'auth') return []
    const free =
      usable(scope) &&
      scope !== '/' &&
      guarded.every(other => other.scope !== undefined && !other.scope.startsWith(scope))
    if (mode === 'off' && free) return beneath(scope)
    lose(
      `${printable(value)} in ${scope ?? 'a section other than <Location>'} is not carried over: a login is required there`,
    )
    return []
  })
}

/** MellonRequire NAME VALUE…, and MellonCond NAME VALUE without flags: roles that a path requires. */
const require: Converter = (entries, { all, lose, also }) => {
  const every = [...(all.get('MellonRequire') ?? []), ...(all.get('MellonCond') ?? [])]
  const attribute = every[0]?.values[0]
  also('providers[].attributes.roles', attribute)
  return entries.flatMap(({ option, values: [name, ...wanted], scope }) => {
    const flags = option === 'MellonCond' && wanted.length > 1
    if (name === attribute && !flags && usable(scope)) return beneath(scope).map(match => ({ match, roles: wanted }))
    lose(
      `not carried over: ${printable(name ?? '')} in ${scope ?? 'a section other than <Location>'}; see access.paths`,
    )
    return []
  })
}

const headers: Converter = entries =>
  entries.every(({ values: [name = ''] }) => /^[\w-]+$/.test(name))
    ? Object.fromEntries(entries.map(({ values: [name, attribute] }) => [`X-Mellon-${name}`, attribute ?? name]))
    : undefined

export const mellon: Peer = {
  rows: rowsOf(`
desk.url | | ProxyPass
publicUrl | | ServerName
providers[].authnContext | the answer is checked too | MellonAuthnContextClassRef
none | always exact: name all that are accepted in ~providers[].acceptedContexts~ | MellonAuthnContextComparisonType
sessions.store | no limit in number; Redis for more than one process |
  MellonCacheEntrySize MellonCacheSize MellonLockFile
access.paths | by role; or ~providers[].allow.roles~ for the whole provider. No regular expressions |
  MellonCond MellonRequire
none | fixed: ~__Host-deskgate~, Secure, HttpOnly, SameSite=Lax |
  MellonCookieDomain MellonCookiePath MellonCookieSameSite MellonSecureCookie MellonVariable
none | obsolete in mod_auth_mellon too | MellonDecoder
none | always ~/~ | MellonDefaultLoginPath
none | not needed: ~deskgate explain REFERENCE~ shows every check of a refused login | MellonDiagnosticsEnable MellonDiagnosticsFile
login.chooser | the page with a button for each provider |
  MellonDiscoveryURL MellonProbeDiscoveryIdP MellonProbeDiscoveryTimeout
none | logout messages are always verified | MellonDoNotVerifyLogoutSignature
none | no ECP profile | MellonECPSendIDPList
desk.public | names what needs no login; everything else does. ~info~ has no counterpart: public paths get no identity |
  MellonEnable
none | ~/auth/logout~, by POST | MellonEnabledInvalidateSessionEndpoint
prefix | its default is ~/auth~; the callback stays ~/auth/saml/acs~. Import the new metadata at the provider |
  MellonEndpointPath
none | headers in the place of variables | MellonEnvPrefix MellonEnvVarsIndexStart MellonEnvVarsSetCount
identity.headers.provider | the ~id~ of the provider | MellonIdP
none | the certificate must be the one in the metadata; no chain is followed | MellonIdPCAFile
none | configure only the providers that you use | MellonIdPIgnore
providers[].metadata | a file or an address | MellonIdPMetadataFile
providers | one entry per provider | MellonIdPMetadataGlob
providers[].certificates | a certificate, not a bare key | MellonIdPPublicKeyFile
identity.format.roles | ~commas~, or ~lines~ | MellonMergeEnvVars
none | a page with the reason and a reference | MellonNoCookieErrorPage MellonNoSuccessErrorPage
none | not in the metadata | MellonOrganizationDisplayName MellonOrganizationName MellonOrganizationURL
login.keepPost | a form that is sent after the session has ended is kept, and sent after the login; ~null~: it is lost |
  MellonPostCount MellonPostDirectory MellonPostReplay MellonPostSize MellonPostTTL
none | after a login only addresses of ~publicUrl~ are accepted | MellonRedirectDomains
providers[].certificate | | MellonSPCertFile
none | ~deskgate metadata~ prints it | MellonSPMetadataFile
providers[].key | | MellonSPPrivateKeyFile
providers[].entityId | | MellonSPentityId
none | assertions are neither logged nor passed on | MellonSamlResponseDump MellonSessionDump
none | Desk sets it for its own pages | MellonSendCacheControlHeader
none | no request to the provider | MellonSendExpectHeader
sessions.idle | | MellonSessionIdleTimeout
sessions.lifetime | | MellonSessionLength
providers[].attributes.headers | ~header: attribute~ | MellonSetEnv MellonSetEnvNoPrefix
none | always RSA-SHA256 | MellonSignatureMethod
none | addresses change, and are not checked | MellonSubjectConfirmationDataAddressCheck
providers[].attributes.email | an e-mail address; ~identity.format.email: local~ sends only the part before the @ |
  MellonUser
`),
  read: readApache,
  converters: {
    MellonAuthnContextClassRef: values,
    MellonCond: require,
    MellonRequire: require,
    MellonEnable: enable,
    MellonEndpointPath: one(value => value.replace(/\/$/, '') || undefined),
    MellonIdPMetadataFile: (entries, { lose }) => {
      if (entries.some(entry => entry.values.length > 1))
        lose(
          'its second argument is not carried over; set providers[].metadataCertificate, a certificate that verifies the metadata',
        )
      return [...new Set(entries.flatMap(entry => entry.values.slice(0, 1)))]
    },
    MellonMergeEnvVars: one(value => (/^on\b/i.test(value) ? 'commas' : 'lines')),
    MellonPostReplay: one(value => (isOn(value) === false ? null : undefined)),
    MellonSPCertFile: text,
    MellonSPPrivateKeyFile: text,
    MellonSPentityId: text,
    MellonSessionIdleTimeout: duration,
    MellonSessionLength: duration,
    MellonSetEnv: headers,
    MellonSetEnvNoPrefix: headers,
    MellonUser: one(value => (value === 'NAME_ID' ? 'NameID' : value || undefined)),
    ProxyPass: entries => originOf(entries.find(entry => entry.values[0] === '/')?.values[1] ?? ''),
    ServerName: one(value => originOf(value.includes('://') ? value : `https://${value.replace(/:443$/, '')}`)),
  },
}

function readApache(source: string): ReturnType<Peer['read']> {
  const [entries, left, sections]: [Entry[], string[], { name: string; path: string | undefined }[]] = [[], [], []]
  const [others, hosts] = [new Set<string>(), new Set<object>()]
  const known = new Map([...mellon.rows.keys()].map(name => [name.toLowerCase(), name]))
  for (const raw of source.replaceAll(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const [first = '', ...args] = (line.replace(/>$/, '').match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\S+/g) ?? []).map(
      bare,
    )
    if (first.startsWith('</')) sections.pop()
    else if (first.startsWith('<')) {
      const name = first.slice(1).toLowerCase()
      sections.push({ name, path: name === 'location' && args.length === 1 ? args[0] : undefined })
    } else if (/^include(optional)?$/i.test(first))
      left.push(`${first} ${printable(args.join(' '))}: not read; import that file too`)
    else if (known.has(first.toLowerCase()) || /^mellon/i.test(first)) {
      const host = sections.find(({ name }) => name === 'virtualhost')
      if (host && /^mellon/i.test(first)) hosts.add(host)
      entries.push({ option: known.get(first.toLowerCase()) ?? first, values: args, scope: scopeOf(sections) })
    } else others.add(first)
  }
  if (hosts.size > 1) return { problem: 'several virtual hosts use mod_auth_mellon: import one at a time' }
  for (const name of others)
    left.push(`${printable(name)}: a directive of Apache, not of mod_auth_mellon; not carried over`)
  return { entries, left }
}

/** The path of the innermost <Location>; / outside of all sections but those that only group. */
function scopeOf(sections: { name: string; path: string | undefined }[]): string | undefined {
  const narrow = sections.filter(({ name }) => !/^(virtualhost|ifmodule|ifdefine|ifversion)$/.test(name))
  return narrow.length === 0 ? '/' : narrow.length === 1 ? narrow[0]?.path : undefined
}

function bare(word: string): string {
  return /^["']/.test(word) ? word.slice(1, -1).replace(/\\(.)/g, '$1') : word
}
