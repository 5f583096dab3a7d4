// The rules across keys: each mistake is told at its key, and what is right is not.

import { X509Certificate } from 'node:crypto'
import t from 'tap'
import {
  curveCertificate,
  curveKey,
  jwtProvider,
  load,
  longSecret,
  problemMessages,
  rsaPair,
  samlProvider,
  settings,
  today,
  warningMessages,
  weakKey,
  weakPrivateKey,
} from '../parts/configuration.js'

const one = rsaPair()
const other = rsaPair()
const ended = rsaPair(today - 1000)
const { fingerprint: sha1, fingerprint256: sha256 } = new X509Certificate(one.certificate)
const files = {
  'one.crt': one.certificate,
  'one.key': one.key,
  'one.pub': one.publicKey,
  'other.crt': other.certificate,
  'other.key': other.key,
  'both.crt': one.certificate + other.certificate,
  'bare.crt': one.certificate.replace(/-----.*-----|\n/g, ''),
  'ended.crt': ended.certificate,
  'ended.key': ended.key,
  'broken.crt': '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
  'locked.key': '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n',
  'p256.key': curveKey('P-256'),
  'p384.key': curveKey('P-384'),
  'curve.crt': curveCertificate('P-256'),
  'p521.crt': curveCertificate('P-521'),
  'line.crt': one.certificate.replaceAll('\n', ''),
  'escaped.crt': one.certificate.replaceAll('\n', '\\n'),
  'spaces.crt': one.certificate.replaceAll('\n', ' '),
  'chain.p7b': '-----BEGIN PKCS7-----\nMIIB\n-----END PKCS7-----\n',
  'weak.pub': weakKey(),
  'weak.key': weakPrivateKey(),
  'text.txt': 'nothing',
  'secret.jwks': JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] }),
  'empty.jwks': '{ "keys": [] }',
  'odd.jwks': '{ "keys": [{ "kty": "XYZ" }, 7, null] }',
  'none.jwks': '[]',
}
const saml = {
  id: 'corp',
  type: 'saml',
  name: 'Corp',
  issuer: 'https://idp.example.com',
  loginUrl: 'https://idp.example.com/sso',
  certificates: ['one.crt'],
}
const jwks = { ...jwtProvider, secrets: [], jwks: 'https://portal.example.com/jwks', audience: 'desk' }
const store = { store: 'redis://redis.internal:6379/0' }
const secrets = [longSecret('ring')]

/** What is said of one provider. */
const ofProvider = (provider: Record<string, unknown>) => settings({ providers: [provider] })

/** A directory over HTTP. */
const list = (http: Record<string, unknown>) => settings({ agents: [{ http: { map: { email: '/email' }, ...http } }] })
const listUrl = 'https://desk.example.com/users'

const problems: Record<string, [Record<string, unknown>, ...string[]]> = {
  'a header of the directory that is none': [
    list({ url: listUrl, headers: { 'X Token': 'x' } }),
    'agents[0].http.headers["X Token"]: invalid header name',
  ],
  'Attack: a header of the directory that holds two': [
    list({ url: listUrl, headers: { Authorization: 'x\r\nX-Other: y' } }),
    'agents[0].http.headers.Authorization: contains a character that headers may not contain',
  ],
  'Attack: an e-mail address that would choose the server': [
    list({ url: 'https://{email}/users' }),
    'agents[0].http.url: invalid http or https URL',
  ],
  'a password in the URL of the directory': [
    list({ url: 'https://me:secret@desk.example.com/users' }),
    'agents[0].http.url: invalid http or https URL',
  ],
  'what invalid JSON pointer': [
    list({ url: listUrl, list: 'users', next: '/a~2' }),
    'agents[0].http.list: invalid JSON pointer',
    'agents[0].http.next: invalid JSON pointer',
  ],
  'http elsewhere than on localhost and 127.0.0.1': [
    settings({ publicUrl: 'http://desk.example.com' }),
    'publicUrl: not https: cookies and logins could be read in transit',
  ],
  'http on [::1]': [
    settings({ publicUrl: 'http://[::1]:8080' }),
    'publicUrl: not https: cookies and logins could be read in transit',
  ],
  'hsts where browsers ignore it': [
    settings({ publicUrl: 'http://localhost:8080', hsts: { maxAge: '1d' } }),
    'hsts: browsers ignore it, because publicUrl is http',
  ],
  'hsts that no list of browsers takes': [
    settings({ hsts: { maxAge: '30d', includeSubDomains: true, preload: true } }),
    'hsts.preload: the preload list requires includeSubDomains, and a maxAge of at least 365d',
  ],
  'one port for both listeners': [settings({ listen: '0.0.0.0:9090' }), 'ops.listen: same address as listen'],
  'no CIDR': [
    settings({ trustedProxies: ['10.0.0.0', '10.0.0.0/33', 'proxy', '2001:db8::/32', '192.0.2.1/32'] }),
    'trustedProxies[0]: invalid CIDR',
    'trustedProxies[1]: invalid CIDR',
    'trustedProxies[2]: invalid CIDR',
  ],
  'Desk is the gateway itself': [
    settings({ desk: { url: 'https://desk.example.com/' } }),
    'desk.url: points back to the gateway: requests would loop',
  ],
  "Desk is the gateway's listener": [
    settings({ desk: { url: 'http://localhost:8080' } }),
    'desk.url: points back to the gateway: requests would loop',
  ],
  'short secrets': [
    settings({
      secrets: ['a'.repeat(31)],
      providers: [{ ...jwtProvider, secrets: [{ env: 'SHORT' }] }],
      ops: { adminToken: 'token' },
    }),
    'secrets[0]: has 31 bytes: at least 32 are needed',
    'providers[0].secrets[0]: has 5 bytes: at least 32 are needed',
    'ops.adminToken: has 5 bytes: at least 32 are needed',
  ],
  'one secret in two providers': [
    settings({ providers: [jwtProvider, { ...jwtProvider, id: 'b', name: 'B' }] }),
    'providers[1].secrets[0]: same secret as providers[0].secrets[0]',
  ],
  'a provider that knows the key ring': [
    settings({ secrets: jwtProvider.secrets }),
    'providers[0].secrets[0]: same secret as secrets[0]',
  ],
  'an admin token that a provider knows': [
    settings({ ops: { adminToken: jwtProvider.secrets[0] } }),
    'ops.adminToken: same secret as providers[0].secrets[0]',
  ],
  'no key ring for a shared store': [
    settings({ sessions: store }),
    'secrets: required unless the store is memory: all processes need the same keys',
  ],
  'several processes on the memory store': [
    settings({ workers: 2 }),
    'workers: needs a store that all processes share',
  ],
  'one process per core on the memory store': [
    settings({ workers: 'auto' }),
    'workers: needs a store that all processes share',
  ],
  'no provider': [settings({ providers: [] }), 'providers: no provider: nobody can log in'],
  'no providers at all': [settings({ providers: undefined }), 'providers: no provider: nobody can log in'],
  'two providers of one id': [
    settings({ providers: [jwtProvider, { ...samlProvider, id: 'portal' }] }),
    'providers[1].id: same id as providers[0]',
  ],
  "a provider called by the gateway's own words": [
    settings({
      providers: [
        { ...jwtProvider, id: 'callback' },
        { ...samlProvider, id: 'breakglass' },
      ],
    }),
    'providers[0].id: reserved by the gateway',
    'providers[1].id: reserved by the gateway',
  ],
  'saml: a metadataCertificate that is none': [
    ofProvider({ ...samlProvider, metadataCertificate: 'broken.crt' }),
    'providers[0].metadataCertificate: contains an invalid X.509 certificate',
  ],
  'saml: a metadataCertificate without metadata': [
    ofProvider({ ...saml, metadataCertificate: 'one.crt' }),
    'providers[0].metadataCertificate: has no effect without metadata',
  ],
  'saml: neither metadata nor anything else': [
    ofProvider({ id: 'corp', type: 'saml', name: 'Corp' }),
    'providers[0].metadata: is missing',
  ],
  'saml: no login URL': [ofProvider({ ...saml, loginUrl: undefined }), 'providers[0].loginUrl: is missing'],
  'saml: no issuer': [ofProvider({ ...saml, issuer: undefined }), 'providers[0].issuer: is missing'],
  'saml: no certificate': [ofProvider({ ...saml, certificates: [] }), 'providers[0].certificates: is missing'],
  'saml: fingerprints that are none': [
    ofProvider({
      ...saml,
      certificates: [],
      certificateFingerprints: ['ab', `${sha256}00`, sha256.replace(/^../, 'xy'), `SHA256:${sha256}`, sha256, ''],
    }),
    ...[0, 1, 2, 3, 5].map(at => `providers[0].certificateFingerprints[${at}]: invalid fingerprint`),
  ],
  'one certificate in two providers, once as a fingerprint': [
    settings({
      providers: [
        saml,
        { ...saml, id: 'b', name: 'B', issuer: 'urn:b', certificates: [], certificateFingerprints: [sha256] },
        { ...saml, id: 'c', name: 'C', issuer: 'urn:c', certificates: [], certificateFingerprints: [sha1] },
      ],
    }),
    'providers[1].certificateFingerprints[0]: same key as providers[0].certificates[0]',
    'providers[2].certificateFingerprints[0]: same key as providers[0].certificates[0]',
  ],
  'saml: fingerprints beside metadata': [
    ofProvider({ ...samlProvider, certificateFingerprints: [sha256] }),
    'providers[0].certificateFingerprints: cannot be combined with metadata',
  ],
  'saml: encryption wanted without a key': [
    ofProvider({ ...samlProvider, wantAssertionsEncrypted: true }),
    'providers[0].key: is missing',
  ],
  'saml: signed requests with a key alone': [
    ofProvider({ ...samlProvider, signRequests: true, key: 'one.key' }),
    'providers[0].certificate: is missing',
  ],
  'saml: a key that cannot sign or decrypt': [
    ofProvider({ ...samlProvider, key: 'p256.key' }),
    'providers[0].key: not an RSA key of at least 2048 bits',
  ],
  'saml: a key that is too short': [
    ofProvider({ ...samlProvider, key: 'weak.key' }),
    'providers[0].key: not an RSA key of at least 2048 bits',
  ],
  'saml: a key that is none': [
    ofProvider({ ...samlProvider, key: 'text.txt', wantAssertionsEncrypted: true }),
    'providers[0].key: contains no PEM private key',
  ],
  'saml: one issuer in two providers': [
    settings({ providers: [saml, { ...saml, id: 'b', name: 'B', certificates: ['other.crt'] }] }),
    'providers[1].issuer: same issuer as providers[0]',
  ],
  'saml: signed requests without key and certificate': [
    ofProvider({ ...samlProvider, signRequests: true }),
    'providers[0].key: is missing',
    'providers[0].certificate: is missing',
  ],
  'saml: a certificate without its key': [
    ofProvider({ ...samlProvider, certificate: 'one.crt' }),
    'providers[0].key: is missing',
  ],
  'saml: a key that is not that of the certificate': [
    ofProvider({ ...samlProvider, certificate: 'one.crt', key: 'other.key' }),
    'providers[0].key: does not belong to providers[0].certificate',
  ],
  'saml: certificates on one line': [
    ofProvider({ ...saml, certificates: ['line.crt', 'escaped.crt', 'spaces.crt', 'chain.p7b'] }),
    ...[0, 1, 2].map(at => `providers[0].certificates[${at}]: contains a certificate without the line breaks of PEM`),
    'providers[0].certificates[3]: contains PKCS#7',
  ],
  'saml: no certificates': [
    ofProvider({ ...saml, certificates: ['broken.crt', 'text.txt', 'one.key'] }),
    'providers[0].certificates[0]: contains an invalid X.509 certificate',
    'providers[0].certificates[1]: contains no PEM certificate',
    'providers[0].certificates[2]: contains no PEM certificate',
  ],
  'saml: a certificate whose signatures nobody here can verify': [
    ofProvider({ ...saml, certificates: ['one.crt', 'p521.crt', 'curve.crt'] }),
    'providers[0].certificates[1]: contains a key that is neither RSA nor P-256 nor P-384',
  ],
  'one certificate in two providers': [
    settings({ providers: [saml, { ...saml, id: 'b', name: 'B', issuer: 'urn:b' }] }),
    'providers[1].certificates[0]: same key as providers[0].certificates[0]',
  ],
  'one key in two providers, once in a bundle': [
    settings({ providers: [saml, { ...saml, id: 'b', name: 'B', issuer: 'urn:b', certificates: ['both.crt'] }] }),
    'providers[1].certificates[0]: same key as providers[0].certificates[0]',
  ],
  'one key in a certificate and as a public key': [
    settings({ providers: [saml, { ...jwks, jwks: 'one.pub' }] }),
    'providers[1].jwks: same key as providers[0].certificates[0]',
  ],
  'one JWKS in two providers': [
    settings({ providers: [jwks, { ...jwks, id: 'b', name: 'B' }] }),
    'providers[1].jwks: same key as providers[0].jwks',
  ],
  'jwt: no key': [ofProvider({ ...jwtProvider, secrets: [] }), 'providers[0].secrets: is missing'],
  'jwt: two kinds of keys': [
    ofProvider({ ...jwtProvider, jwks: 'https://portal.example.com/jwks' }),
    'providers[0].jwks: cannot be combined with secrets: a provider has one kind of key',
  ],
  'jwt: algorithms that do not fit': [
    ofProvider({ ...jwks, algorithms: ['ES256', 'HS256'] }),
    'providers[0].algorithms[1]: does not work with jwks',
  ],
  'jwt: no algorithm': [ofProvider({ ...jwtProvider, algorithms: [] }), 'providers[0].algorithms: must not be empty'],
  'jwt: algorithm none': [
    ofProvider({ ...jwtProvider, algorithms: ['none'] }),
    'providers[0].algorithms[0]: must be HS256, RS256, ES256 or EdDSA',
  ],
  'jwt: a JWKS that holds a secret': [
    ofProvider({ ...jwks, jwks: 'secret.jwks' }),
    'providers[0].jwks: contains a secret or private key',
  ],
  'jwt: a private key': [ofProvider({ ...jwks, jwks: 'one.key' }), 'providers[0].jwks: contains a private key'],
  'jwt: an empty JWKS': [ofProvider({ ...jwks, jwks: 'empty.jwks' }), 'providers[0].jwks: contains no usable key'],
  'limits: no callback fits': [
    settings({ limits: { bodies: '4mb', callback: '900kb' } }),
    'limits.bodies: less than five times limits.callback: a callback of that size would not fit',
  ],
  'keepPost: no form of its size fits': [
    settings({ login: { keepPost: { size: '8mb', total: '4mb' } } }),
    'login.keepPost.total: less than login.keepPost.size: a form of that size could not be kept',
  ],
  'jwt: a JWKS of nothing that is known': [
    ofProvider({ ...jwks, jwks: 'odd.jwks' }),
    'providers[0].jwks: contains no usable key',
  ],
  'jwt: an RSA key that is too short': [
    ofProvider({ ...jwks, jwks: 'weak.pub' }),
    'providers[0].jwks: contains no usable key',
  ],
  'jwt: no JWKS': [ofProvider({ ...jwks, jwks: 'none.jwks' }), 'providers[0].jwks: invalid JWKS'],
  'jwt: neither JWKS nor PEM': [
    ofProvider({ ...jwks, jwks: 'text.txt' }),
    'providers[0].jwks: is neither a JWKS nor a public key in PEM',
  ],
  'jwt: a JWKS by another scheme': [
    ofProvider({ ...jwks, jwks: 'file:///etc/passwd' }),
    'providers[0].jwks: invalid http or https URL',
  ],
  'tls: a key of another certificate': [
    settings({ tls: { cert: 'one.crt', key: 'other.key' } }),
    'tls.key: does not belong to tls.cert',
  ],
  'tls: swapped': [
    settings({ tls: { cert: 'one.key', key: 'one.crt' } }),
    'tls.cert: contains no PEM certificate',
    'tls.key: contains no PEM private key',
  ],
  'tls: a passphrase': [
    settings({ tls: { cert: 'one.crt', key: 'locked.key' } }),
    'tls.key: is protected by a passphrase',
  ],
  'tls: no key': [settings({ tls: { cert: 'one.crt' } }), 'tls.key: is missing'],
  'desk.tls: a certificate without its key, and no authority': [
    settings({ desk: { url: 'https://desk.internal', tls: { cert: 'one.crt', ca: 'text.txt' } } }),
    'desk.tls.ca: contains no PEM certificate',
    'desk.tls.key: is missing',
  ],
  'desk.tls: a key of another certificate': [
    settings({ desk: { url: 'https://desk.internal', tls: { cert: 'one.crt', key: 'other.key' } } }),
    'desk.tls.key: does not belong to desk.tls.cert',
  ],
  'assertion keys that cannot sign ES256': [
    settings({ identity: { assertion: { keys: ['p256.key', 'p384.key', 'one.key', 'one.crt'] } } }),
    'identity.assertion.keys[1]: not a P-256 key; assertions are signed with ES256',
    'identity.assertion.keys[2]: not a P-256 key; assertions are signed with ES256',
    'identity.assertion.keys[3]: contains no PEM private key',
  ],
  'identity headers that servers read as one': [
    settings({
      identity: { headers: { id: 'X_Agent.Email', roles: 'x-agent-name' }, assertion: { header: 'X-AGENT-PROVIDER' } },
    }),
    'identity.headers.email: same header as headers.id',
    'identity.headers.roles: same header as headers.name',
    'identity.assertion.header: same header as headers.provider',
  ],
  'identity headers that requests need': [
    settings({
      identity: {
        headers: {
          id: 'Host',
          email: 'X-Forwarded-Proto',
          name: 'content_length',
          roles: 'Connection',
          provider: 'X-Request-Id',
        },
        assertion: { header: 'Authorization' },
      },
    }),
    ...['headers.id', 'headers.email', 'headers.name', 'headers.roles', 'headers.provider', 'assertion.header'].map(
      key => `identity.${key}: reserved: this header already has a meaning in requests`,
    ),
  ],
  'a header name that would begin another header': [
    settings({ identity: { headers: { id: 'X-A\r\nX-B' } } }),
    'identity.headers.id: invalid header name',
  ],
  'redis: no URL': [settings({ secrets, sessions: { store: 'redis://a b' } }), 'sessions.store: invalid URL'],
  'redis: no host, no database': [
    settings({ secrets, sessions: { store: 'redis:///first' } }),
    'sessions.store: names no host',
    'sessions.store: must end with the number of the database',
  ],
  'redis: options in the URL': [
    settings({ secrets, sessions: { store: 'rediss://redis/0?rejectUnauthorized=false' } }),
    'sessions.store: must not contain ? or #',
  ],
  'redis: TLS without TLS': [
    settings({ secrets, sessions: { store: { url: 'redis://redis', tls: { serverName: 'redis' } } } }),
    'sessions.store.tls: cannot be used with redis://',
  ],
  'one metadata in two providers': [
    settings({
      providers: ['https://m', 'https://m', 'https://other', 'https://m'].map((metadata, index) => ({
        ...samlProvider,
        id: `p${index}`,
        name: `P${index}`,
        metadata,
        ...(index === 3 ? { issuer: 'https://one' } : {}),
      })),
    }),
    'providers[1].metadata: same metadata as providers[0]',
    'providers[3].metadata: same metadata as providers[0]',
  ],
  'a domain that no address ends with': [
    settings({ agents: [{ domains: ['@example.com', '*.example.com', 'example.com.', 'Example.com'] }] }),
    ...[0, 1, 2].map(index => `agents[0].domains[${index}]: invalid domain`),
  ],
  'a public rule that is none': [
    settings({ desk: { url: 'http://d', public: ['assets', 'GET /a*b', '/a?x', '/a%2fb', 'get /a', '/ok/*'] } }),
    ...[0, 1, 2, 3, 4].map(index => `desk.public[${index}]: invalid path rule`),
  ],
}

for (const [name, [config, ...expected]] of Object.entries(problems)) {
  t.test(`refused: ${name}`, async t => {
    t.same(problemMessages(config, { files, env: { SHORT: 'short' } }).sort(), expected.sort())
  })
}

const warnings: Record<string, [Record<string, unknown>, ...string[]]> = {
  'a token that nobody asked for': [
    settings({ providers: [{ ...jwtProvider, requireState: undefined }] }),
    'providers[0].requireState: not set: a token that this browser did not ask for can log in',
  ],
  'a logout of Desk by query that is public': [
    settings({
      desk: {
        url: 'http://desk.internal:3000',
        public: ['/out*'],
        logout: ['GET /out?do=logout', { cookie: '_desk' }],
      },
    }),
    'desk.logout[0]: also in desk.public: sessions are not checked there, so this rule ends no session',
  ],
  'an access rule that desk.public makes a hole into': [
    settings({
      desk: { url: 'http://desk.internal:3000', public: ['GET /admin/assets/*', '/open'] },
      access: {
        paths: [
          { match: '/admin/*', roles: ['admin'] },
          { match: '/x/*', roles: ['x'] },
          { match: '/*', roles: ['y'] },
        ],
      },
    }),
    'access.paths[0].match: has no effect on /admin/assets/*, which desk.public opens to everybody',
  ],
  'next beside a look-up': [
    list({ url: `${listUrl}?email={email}`, next: '/next' }),
    'agents[0].http.next: has no effect: with {email} in the url only one page is read',
  ],
  'a rehearsal': [
    settings({ mode: 'observe', observe: { enforce: [] } }),
    'mode: nothing is guarded: requests without a session reach Desk',
  ],
  'a rehearsal but for some paths': [
    settings({ mode: 'observe', observe: { enforce: ['/admin/*', '/auth/login'] } }),
    'mode: only the paths of observe.enforce are guarded: all other requests reach Desk without a session',
    'observe.enforce[1]: has no effect: everything under /auth belongs to the gateway',
  ],
  'idle beyond lifetime': [
    settings({ sessions: { idle: '48h' } }),
    'sessions.idle: longer than lifetime: it has no effect',
  ],
  'a provider on another site over http': [
    settings({ publicUrl: 'http://localhost:8080' }),
    'providers[0].loginUrl: on another site: nobody can log in there while publicUrl is http',
  ],
  'http on this machine, and a provider whose metadata says where it is': [
    settings({
      publicUrl: 'http://127.0.0.1:8080',
      providers: [
        { ...jwtProvider, loginUrl: 'http://127.0.0.1:8081/login' },
        { ...samlProvider, metadata: 'https://idp.example.com/m' },
      ],
    }),
    'publicUrl: is http: an identity provider on another site cannot log anybody in',
  ],
  'http on this machine, and every provider on its site': [
    settings({
      publicUrl: 'http://localhost:8080',
      providers: [{ ...jwtProvider, loginUrl: 'http://localhost:8081/login' }],
    }),
  ],
  'localhost and 127.0.0.1 are two sites': [
    settings({
      publicUrl: 'http://localhost:8080',
      providers: [
        { ...jwtProvider, loginUrl: 'http://127.0.0.1:9/login' },
        { ...samlProvider, metadata: 'http://localhost:9/m' },
      ],
    }),
    'providers[0].loginUrl: on another site: nobody can log in there while publicUrl is http',
  ],
  'everybody is a trusted proxy': [
    settings({ trustedProxies: ['0.0.0.0/0'] }),
    'trustedProxies[0]: trusts every peer: any client can choose the address that is logged',
  ],
  'everything is public': [
    settings({ desk: { url: 'http://d', public: ['GET /*', '/auth/*', '/auth', '/authors/*'] } }),
    'desk.public[0]: makes every path public: no login is required',
    'desk.public[1]: has no effect: everything under /auth belongs to the gateway',
    'desk.public[2]: has no effect: everything under /auth belongs to the gateway',
  ],
  'TLS settings for a Desk without TLS': [
    settings({ desk: { url: 'http://d', tls: { serverName: 'd' } } }),
    'desk.tls: has no effect: desk.url is not https',
  ],
  'what a provider sends could be read or changed on the way': [
    settings({
      providers: [
        { ...jwks, loginUrl: 'http://p.example/login', jwks: 'http://p.example/jwks' },
        { ...samlProvider, metadata: 'http://idp.example/m', logoutUrl: 'http://localhost/bye' },
        { ...samlProvider, id: 'signed', name: 'S', metadata: 'http://idp.example/s', metadataCertificate: 'one.crt' },
      ],
    }),
    'providers[0].loginUrl: not https: what browsers send there can be read in transit',
    'providers[0].jwks: not https: the keys can be replaced in transit',
    'providers[1].metadata: not https: the keys can be replaced in transit',
  ],
  'public keys without an audience': [
    ofProvider({ ...jwks, audience: null }),
    'providers[0].audience: not set: tokens for other applications are accepted',
  ],
  'long times': [
    ofProvider({ ...jwtProvider, clockSkew: '11m', maxAge: '2h' }),
    'providers[0].clockSkew: more than 10m: expired messages are accepted for that long',
    'providers[0].maxAge: more than 1h: a stolen token stays valid that long',
  ],
  'two providers of one name': [
    settings({ providers: [jwtProvider, { ...samlProvider, name: 'Portal' }] }),
    'providers[1].name: same name as providers[0]: agents cannot tell them apart',
  ],
  'settings beside metadata': [
    ofProvider({ ...samlProvider, issuer: 'urn:a', certificates: ['one.crt'] }),
    'providers[0].certificates: has no effect: metadata is set',
  ],
  'certificates in one file that are no chain': [
    ofProvider({ ...saml, certificates: ['both.crt'] }),
    'providers[0].certificates[0]: contains 2 certificates that do not form a chain: only the one of CN=test is trusted',
  ],
  'SHA-1 of certificates and signatures': [
    ofProvider({ ...saml, certificates: [], certificateFingerprints: [sha256, sha1], allowSha1: true }),
    'providers[0].certificateFingerprints[1]: SHA-1 is weak',
    'providers[0].allowSha1: is set: SHA-1 signatures can be forged',
  ],
  'a source that is never asked': [
    settings({ agents: [{ any: true }, { domains: ['example.com'] }] }),
    'agents[1]: never asked: agents[0] accepts everyone',
  ],
  'an empty agents file': [settings({ agents: [{ file: 'text.yaml' }] }), 'agents[0].file: names no agent'],
  'a certificate that has ended': [
    settings({ tls: { cert: 'ended.crt', key: 'ended.key' } }),
    'tls.cert: expired on 2026-11-21',
  ],
  'odd secrets': [
    settings({
      secrets: [`${longSecret('ring')} `, 'x'.repeat(40), longSecret('a'), longSecret('a')],
      ops: { adminToken: { env: 'TOKEN' } },
    }),
    'secrets[0]: begins or ends with white space',
    'secrets[1]: too little variety to be random',
    'secrets[3]: same secret as secrets[2]',
    'ops.adminToken: has 9 bytes: at least 32 are needed',
  ],
  'a very short assertion': [
    settings({ identity: { assertion: { ttl: '5s' } } }),
    'identity.assertion.ttl: very short: Desk refuses assertions if the clocks differ by seconds',
  ],
  'single logout without a key': [
    ofProvider({ ...samlProvider, sloUrl: 'https://idp.example.com/slo' }),
    'providers[0].sloUrl: set without key and certificate',
  ],
  'two passwords': [
    settings({ secrets, sessions: { store: { url: 'redis://u:p@redis/0', password: 'q' } } }),
    'sessions.store.password: takes the place of the password in the URL',
  ],
}

for (const [name, [config, ...expected]] of Object.entries(warnings)) {
  t.test(`accepted with a warning: ${name}`, async t => {
    const outside = { files: { ...files, 'text.yaml': '# nobody yet' }, env: { TOKEN: 'any-token' } }
    t.same(problemMessages(config, outside), [])
    t.same(warningMessages(config, outside).sort(), expected.sort())
  })
}

const fine: Record<string, Record<string, unknown>> = {
  'two of one metadata, each by its issuer': settings({
    providers: ['one', 'two'].map(id => ({
      ...samlProvider,
      id,
      name: id,
      metadata: 'https://m',
      issuer: `https://${id}`,
    })),
  }),
  'both kinds of providers': settings({ providers: [saml, jwks, { ...jwtProvider, id: 'c', name: 'C' }] }),
  'certificates: bare base64, several, of a curve': settings({
    providers: [{ ...saml, certificates: ['bare.crt', 'other.crt', 'curve.crt'] }],
  }),
  'public keys in PEM': ofProvider({ ...jwks, jwks: 'one.pub', algorithms: ['RS256'] }),
  'TLS on the listener': settings({ tls: { cert: 'both.crt', key: 'one.key' } }),
  'TLS to Desk and Redis': settings({
    secrets,
    desk: { url: 'https://desk.internal', tls: { ca: 'both.crt', cert: 'one.crt', key: 'one.key' } },
    sessions: { store: { url: 'rediss://redis', tls: { ca: 'one.crt' }, keyPrefix: 'desk:' } },
  }),
  'a key of ours for an identity provider': ofProvider({ ...samlProvider, certificate: 'one.crt', key: 'one.key' }),
  'every SAML option': ofProvider({
    ...saml,
    signRequests: true,
    key: 'one.key',
    certificate: 'one.crt',
    certificates: ['other.crt'],
    certificateFingerprints: [],
    wantAssertionsEncrypted: true,
    forceAuthn: true,
    authnContext: ['urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport'],
  }),
  'fingerprints in any spelling': ofProvider({
    ...saml,
    certificates: [],
    certificateFingerprints: [
      sha256,
      sha256.replaceAll(':', ' '),
      sha256.replaceAll(':', '').toLowerCase(),
      ` ${sha256}\n`,
    ],
  }),
  'encryption wanted, with a key alone': ofProvider({ ...samlProvider, key: 'one.key', wantAssertionsEncrypted: true }),
  'single logout with a key': ofProvider({
    ...samlProvider,
    sloUrl: 'https://idp.example.com/slo',
    certificate: 'one.crt',
    key: 'one.key',
  }),
  'an assertion key': settings({ identity: { assertion: { keys: ['p256.key'] } } }),
  'free ports': settings({ listen: '127.0.0.1:0', ops: { listen: '127.0.0.1:0' } }),
  sockets: settings({ listen: 'unix:/run/deskgate.sock', ops: { listen: '[::1]:9090' } }),
  'headers of one name in another place': settings({ identity: { headers: { id: 'Remote-User' } } }),
}

for (const [name, config] of Object.entries(fine)) {
  t.test(`accepted: ${name}`, async t => {
    t.same(problemMessages(config, { files }), [])
    t.same(warningMessages(config, { files }), [])
  })
}

t.test('rules run beside the mistakes of the schema, and trust nothing that is wrong', async t => {
  const found = problemMessages(
    settings({
      publicUrl: 'http://x/y',
      listen: 7,
      secrets: [{ env: 'NONE' }],
      providers: [
        { ...jwtProvider, secrets: [{ env: 'NONE', file: 'x' }], algorithms: 'RS256', name: 1 },
        { ...saml, loginUrl: 'x', certificates: ['none'] },
      ],
      sessions: { store: 'redis://redis', idle: 'x' },
      tls: { cert: 'none', key: 'one.key' },
    }),
    { files },
  )
  t.same(found.sort(), [
    'listen: invalid address',
    'providers[0].algorithms: must be a list',
    'providers[0].name: must be a string',
    'providers[0].secrets[0]: invalid secret',
    'providers[1].certificates[0]: the file /etc/deskgate/none does not exist',
    'providers[1].loginUrl: invalid http or https URL',
    'publicUrl: invalid origin',
    'secrets[0]: the variable NONE is not set',
    'sessions.idle: invalid duration',
    'tls.cert: the file /etc/deskgate/none does not exist',
  ])
})

t.test('a provider without a known type is told, and no rule looks into it', async t => {
  const unknown = { id: 7, type: 'oidc', name: [], loginUrl: 8, jwks: { url: 9 }, secrets: [1], clockSkew: 'x' }
  t.same(problemMessages(settings({ providers: [unknown, { ...unknown, type: undefined }] })), [
    'providers[0].type: unknown type of provider',
    'providers[1].type: is missing',
  ])
})

t.test('the parts of an address are folded as the directory does', async t => {
  const result = load(settings({ agents: [{ domains: ['EXAMPLE.com'] }] }))
  t.match(result, { config: { agents: [{ domains: ['example.com'] }] } })
})

t.test('bearer tokens: an audience of their own, and nothing that has no effect', async t => {
  const bearer = (changes: Record<string, unknown>) => settings({ providers: [{ ...jwtProvider, ...changes }] })
  const key = 'providers[0].bearerAudience'
  t.same(problemMessages(bearer({ bearer: true, bearerAudience: 'api' })), [])
  t.same(warningMessages(bearer({ bearer: true, bearerAudience: 'api', bearerPassThrough: true })), [])
  t.same(problemMessages(bearer({ bearer: true })), [`${key}: is missing: bearer needs it`])
  const same = `${key}: also the audience of logins at providers[0]`
  t.same(problemMessages(bearer({ bearer: true, bearerAudience: 'api', audience: 'api' })), [same])
  const other = { ...jwtProvider, id: 'b', name: 'B', secrets: [longSecret('b')], audience: 'api' }
  const two = [{ ...jwtProvider, bearer: true, bearerAudience: 'api' }, other]
  t.same(problemMessages(settings({ providers: two })), [`${key}: also the audience of logins at providers[1]`])
  t.same(warningMessages(bearer({ bearerAudience: 'api', bearerPassThrough: true })), [
    `${key}: has no effect: bearer is off`,
    'providers[0].bearerPassThrough: has no effect: bearer is off',
  ])
})

t.test('desk.logout: a path that is public too is told', async t => {
  const desk = (changes: object) => settings({ desk: { url: 'http://d', ...changes } })
  const logout = ['GET /logout', 'POST /session/end']
  t.same(warningMessages(desk({ logout, public: ['GET /assets/*', '/logouts', '/'] })), [])
  for (const open of ['/logout', 'GET /log*']) {
    t.match(warningMessages(desk({ logout, public: [open] })), [/^desk\.logout\[0\]: also in desk\.public/], open)
  }
})

t.test('access.paths and breakglass: kinds, values, and a proxy that hides every address', async t => {
  const rule = (changes: object) => settings({ access: { paths: [{ match: '/admin/*', ...changes }] } })
  const at = 'access.paths[0]'
  const good = {
    emails: ['Ana@Example.com'],
    domains: ['Example.com'],
    providers: ['portal'],
    from: ['10.0.0.0/8', '::1/128'],
  }
  t.match(load(rule(good)), {
    config: { access: { paths: [{ emails: ['Ana@example.com'.toLowerCase()], domains: ['example.com'] }] } },
  })
  for (const [changes, problem] of [
    [{}, `${at}: requires nothing`],
    [{ roles: [] }, `${at}.roles: must not be empty`],
    [{ from: [] }, `${at}.from: must not be empty`],
    [{ from: ['10.0.0.1'] }, `${at}.from[0]: invalid CIDR`],
    [{ context: [] }, `${at}.context: must not be empty`],
    [{ context: ['two words'] }, `${at}.context[0]: invalid context`],
    [{ context: ['mfa', 'a"b'] }, `${at}.context[1]: invalid context`],
    [{ context: ['m\u00fca'] }, `${at}.context[0]: invalid context`],
    [{ context: Array.from({ length: 17 }, (_, i) => `c${i}`) }, `${at}.context: more than 16 contexts`],
    [{ maxAge: '0s' }, `${at}.maxAge: is shorter than 1s`],
    [{ maxAge: '31d' }, `${at}.maxAge: is longer than 30d`],
    [{ maxAge: 15 }, `${at}.maxAge: invalid duration`],
    [{ from: ['10.0.0.0/8', 'office'] }, `${at}.from[1]: invalid CIDR`],
    [{ emails: ['ana'] }, `${at}.emails[0]: invalid e-mail address`],
    [{ domains: ['*.example.com'] }, `${at}.domains[0]: invalid domain`],
    [{ providers: ['corq'] }, `${at}.providers[0]: unknown provider`],
    [{ roles: ['x'], group: ['x'] }, `${at}.group: unknown setting here`],
  ] as const) {
    t.same(problemMessages(rule(changes)), [problem])
  }
  t.same(problemMessages(settings({ breakglass: { from: ['10.0.0.0/33'] } })), ['breakglass.from[0]: invalid CIDR'])
  const behind = settings({
    breakglass: { from: ['10.0.0.0/8'] },
    access: { paths: [{ match: '/x', from: ['10.0.0.0/8'] }] },
  })
  const hidden = "matches the address of the proxy that terminates TLS, never the agent's"
  t.same(warningMessages(behind).sort(), [`${at}.from: ${hidden}`, `breakglass.from: ${hidden}`])
  t.same(warningMessages({ ...behind, trustedProxies: ['10.0.0.1/32'] }), [])
  t.match(warningMessages({ ...behind, listen: 'unix:/run/deskgate.sock' }), [/never matches/, /never matches/])
})

t.test('headers for attributes: none of the gateway, none twice, one spelling', async t => {
  const one = (headers: object) => ({ ...jwtProvider, attributes: { headers } })
  const at = 'providers[0].attributes.headers'
  const taken = [
    'Cookie',
    'host',
    'X_Request_Id',
    'Content-Length',
    'X-Forwarded-For',
    'X.Forwarded.Proto',
    'Transfer-Encoding',
    'Sec-Fetch-Mode',
    'Authorization',
  ]
  for (const name of taken) {
    t.match(
      problemMessages(settings({ providers: [one({ [name]: 'x' })] })),
      [/reserved: this header already has a meaning in requests/],
      name,
    )
  }
  for (const name of ['X-Agent-Email', 'x_agent_roles', 'X-AGENT-Assertion', 'X.Agent.Id']) {
    t.match(problemMessages(settings({ providers: [one({ [name]: 'x' })] })), [/same header as/], name)
  }
  const free = [
    'X-Forwarded-User',
    'X-Forwarded-Groups',
    'Remote-User',
    'X-Agent-Department',
    'X-Forwarded-Preferred-Username',
  ]
  for (const name of free) t.same(problemMessages(settings({ providers: [one({ [name]: 'x' })] })), [], name)
  const twice = one({ 'X-Team': 'a', x_team: 'b' })
  t.same(problemMessages(settings({ providers: [twice] })), [`${at}.x_team: same header as another attribute`])
  const other = (headers: object) => ({ ...one(headers), id: 'b', name: 'B', secrets: [longSecret('b')] })
  t.same(problemMessages(settings({ providers: [one({ 'X-Team': 'a' }), other({ 'X-Team': 'z' })] })), [])
  const spelt = problemMessages(settings({ providers: [one({ 'X-Team': 'a' }), other({ 'x-team': 'z' })] }))
  t.same(spelt, ['providers[1].attributes.headers.x-team: spelled differently from the header of providers[0]'])
  t.match(problemMessages(settings({ providers: [one({ 'X Team': 'a' })] })), [/invalid header name/])
  t.match(problemMessages(settings({ providers: [one({ 'X-Team': '' })] })), [/must not be empty/])
  const many = Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`X-${i}`, 'a']))
  t.match(problemMessages(settings({ providers: [one(many)] })), [/names more than 20 headers/])
})

t.test('roles: a map of 10,000 entries, empty targets, keys that differ by case, settings without effect', async t => {
  const of = (roles: object, changes: object = {}) => settings({ providers: [{ ...jwtProvider, roles, ...changes }] })
  const at = 'providers[0].roles'
  const big = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`group-${i}`, `role-${i}`]))
  const began = performance.now()
  t.same([...problemMessages(of({ map: big })), ...warningMessages(of({ map: big }))], [])
  t.ok(performance.now() - began < 10_000)
  t.same(problemMessages(of({ map: { g: '' } })), [`${at}.map.g: invalid role`])
  t.same(problemMessages(of({ map: { '': 'agent' } })), [`${at}.map[""]: empty key`])
  for (const role of ['a\nb', 'x'.repeat(129), '\u202ea'])
    t.same(problemMessages(of({ default: [role] })), [`${at}.default[0]: invalid role`])
  t.same(problemMessages(of({ unmapped: 'remove' })), [`${at}.unmapped: must be keep or drop`])
  t.same(problemMessages(of({ split: '' })), [`${at}.split: must not be empty`])
  t.match(warningMessages(of({ map: { Lead: 'a', lead: 'b' } })), [
    /roles\.map\.lead: differs from another key only by case/,
  ])
  t.same(warningMessages(of({ map: { Lead: 'a', lead: 'a' } })), [])
  t.match(warningMessages(of({ unmapped: 'drop' })), [/drops every role/])
  t.match(warningMessages(of({ map: { ' a': 'b' } })), [/never matches: begins or ends/])
  t.match(warningMessages(of({ split: ';', map: { 'a;b': 'c' } })), [/never matches: values are split/])
  const bare = { ...saml, roles: { map: { g: 'agent' } } }
  t.match(warningMessages(settings({ providers: [bare] }), { files }), [/roles: has no effect: attributes\.roles/])
  const local = settings({
    identity: { format: { email: 'local' } },
    agents: [{ domains: ['a.example', 'b.example'] }],
  })
  t.match(warningMessages(local), [/identity\.format\.email: ana@a\.example and ana@b\.example become the same agent/])
  const listed = (sources: object[], ...domains: string[]) => {
    const text = domains.map(domain => `- { email: ana@${domain} }`).join('\n')
    const given = settings({ identity: { format: { email: 'local' } }, agents: sources })
    return warningMessages(given, { files: { 'agents.yaml': text } })
  }
  const file = { file: 'agents.yaml' }
  for (const [sources, ...domains] of [
    [[file], 'a.example', 'b.example'],
    [[file, { domains: ['b.example'] }], 'a.example'],
    [[{ domains: ['b.example'] }, file], 'A.example'],
  ] as const)
    t.match(listed([...sources], ...domains).join('\n'), /become the same agent/, JSON.stringify([sources, domains]))
  t.notMatch(listed([file, { domains: ['a.example'] }], 'a.example').join('\n'), /become the same agent/)
})
