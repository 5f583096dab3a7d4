// Requests as browsers, scripts, proxies and attackers send them. What Desk must see of each is what it sees of the same
// bytes without a gateway, less `lost`, plus what the gateway says.

export interface RequestCase {
  name: string
  method?: string
  target?: string
  headers?: string[]
  body?: string
  /** Header lines, as Desk gets them without a gateway, that must not arrive. */
  lost?: string[]
  /** Not under WebSocket: a handshake has neither another method nor a body. */
  http?: 'only'
}

/** It never gets as far as Desk. */
export interface RefusedCase {
  name: string
  method?: string
  target?: string
  headers?: string[]
  body?: string
  status: number
}

const long = (length: number) => 'y'.repeat(length)
const form = 'Content-Type: application/x-www-form-urlencoded'

const methods: RequestCase[] = ['HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'REPORT', 'SEARCH'].map(
  method => ({ name: `method ${method}`, method, http: 'only' }),
)

const targets: RequestCase[] = [
  ['a query of escapes', '/q?a=%2F%5c%00%zz&b=%e9&&=;'],
  ['a query that holds a path', '/q?next=/../admin//x'],
  ['only a question mark', '/q?'],
  ['question marks in the query', '/q?a?b??c'],
  ['an encoded slash', '/files/a%2Fb'],
  ['an encoded percent sign', '/files/100%25'],
  ['path parameters', '/files;v=1/a;b=2'],
  ['UTF-8 in escapes', '/t/%E6%97%A5%E6%9C%AC'],
  ['escapes in lower case', '/t/%c3%bc'],
  ['a full-width stop', '/t/%EF%BC%8E%EF%BC%8E/x'],
  ['reserved characters', "/a:b@c!$&'()*+,=~_-.x"],
  ['unescaped brackets and quotes', '/a[0]"{b}|^`<c>'],
  ['segments that begin with dots', '/.well-known/..x/...'],
  ['two slashes inside', '/a//b'],
  ['a slash at the end', '/a/b/'],
  ['a space in the query as plus', '/s?q=a+b%20c'],
  ['a long path', `/${long(5000)}`],
  ['a name like ours elsewhere', '/x/auth/login'],
  ['an address as path', '/http://other.example.com/x'],
  ['an address as path, without scheme', '/@other.example.com:80/x'],
  ['a port as path', '/:80/x'],
  ['a name that begins like ours', '/authors'],
].map(([name = '', target = '']) => ({ name, target }))

const headers: RequestCase[] = [
  { name: 'repeated header lines', headers: ['X-Twice: 1', 'X-Other: x', 'X-Twice: 2'] },
  { name: 'header names in odd case', headers: ['x-LOWER-upper: 1', 'ACCEPT: a/b'] },
  { name: 'every legal character in a name', headers: ["X!#$%&'*+-.^_`|~9: 1"] },
  { name: 'an empty value', headers: ['X-Empty:'] },
  { name: 'bytes above ASCII in a value', headers: ['X-Latin: caf\xe9 \xff'] },
  { name: 'tabs and quotes in a value', headers: ['X-Quoted: "a\tb" \\ ,;'] },
  { name: 'a long value', headers: [`X-Long: ${long(9000)}`] },
  { name: 'a hundred headers', headers: Array.from({ length: 100 }, (_, at) => `X-H${at}: ${at}`) },
  { name: "Desk's own cookies", headers: ['Cookie: _desk=1; a="b c"; deskgatex=1;  x=; y'] },
  { name: 'basic credentials', headers: ['Authorization: Basic dTpw'] },
  { name: 'credentials twice', headers: ['Authorization: Basic dTpw', 'authorization: Digest x'] },
  { name: 'names that only resemble identity', headers: ['XAgent-Email: 1', 'X-AgentEmail: 1', 'My-X-Agent-Id: 1'] },
  { name: 'conditions', headers: ['If-None-Match: "a", W/"b"', 'If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT'] },
  { name: 'ranges', headers: ['Range: bytes=0-1,5-', 'If-Range: "a"'] },
  { name: 'codings that the client takes', headers: ['Accept-Encoding: gzip, br;q=0.5, *;q=0'] },
  { name: 'fetch metadata', headers: ['Sec-Fetch-Site: same-origin', 'Sec-Fetch-Mode: cors', 'Sec-Fetch-Dest: empty'] },
  { name: 'a referrer', headers: ['Referer: https://desk.example.com/x?y=1'] },
  { name: 'caching', headers: ['Cache-Control: no-cache, max-age=0', 'Pragma: no-cache'] },
  { name: 'early data and priority', headers: ['Priority: u=1, i', 'Save-Data: on', 'DNT: 1'] },
  {
    name: 'tracing',
    headers: [
      'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      'tracestate: a=b',
      'baggage: k=v',
    ],
  },
]

const hygiene: RequestCase[] = [
  ['identity', 'X-Agent-Email: evil@example.com'],
  ['identity with underscores', 'X_Agent_Email: evil@example.com'],
  ['identity with dots', 'X.Agent.Roles: admin'],
  ['identity in capitals', 'X-AGENT-ID: 1'],
  ['an identity name of tomorrow', 'X-Agent-Anything: 1'],
  ['the assertion', 'x-agent-assertion: a.b.c'],
  ['an address', 'X-Forwarded-For: 6.6.6.6'],
  ['a host', 'X-Forwarded-Host: evil.example.com'],
  ['a scheme', 'X-Forwarded-Proto: http'],
  ['a standard address', 'Forwarded: for=6.6.6.6;host=evil'],
  ['a real address', 'X-Real-IP: 6.6.6.6'],
  ['a path before rewriting', 'X-Original-URL: /admin'],
  ['a rewritten path', 'X-Rewrite-URL: /admin'],
  ['a request ID', 'X-Request-Id: forged'],
  ['proxy credentials', 'Proxy-Authorization: Basic dTpw'],
  ['a proxy for CGI', 'Proxy: http://evil.example.com'],
  ['a proxy connection', 'Proxy-Connection: keep-alive'],
  ['keep-alive', 'Keep-Alive: timeout=5'],
  ['transfer codings', 'TE: trailers'],
  ['trailers to come', 'Trailer: X-Sum'],
  ['settings of HTTP/2', 'HTTP2-Settings: AAMAAABk'],
  ['an address with underscores', 'X_Forwarded_For: 6.6.6.6'],
  ['an address with dots', 'X.Real.IP: 6.6.6.6'],
  ['a port', 'X-Forwarded-Port: 1'],
  ['a path', 'X-Forwarded-Uri: /open'],
  ['a prefix', 'X-Forwarded-Prefix: /admin'],
  ['a method before rewriting', 'X-Original-Method: GET'],
  ["an address in a CDN's name", 'CF-Connecting-IP: 6.6.6.6'],
  ['the assertion with dots', 'X.Agent.Assertion: a.b.c'],
  ['a length under another name', 'Content_Length: 5'],
  ['chunks under another name', 'Transfer_Encoding: chunked'],
  ['a host under another name', 'X-Host: evil.example.com'],
  ['another method', 'X-HTTP-Method-Override: DELETE'],
  ['another method with underscores', 'X_HTTP_Method: DELETE'],
  ['another method with dots', 'X.Method.Override: DELETE'],
].map(([name = '', line = '']) => ({ name: `${name} from the client`, headers: [line], lost: [line] }))

const bodies: RequestCase[] = [
  { name: 'a form', method: 'POST', headers: [form, 'Content-Length: 7'], body: 'a=1&b=2' },
  { name: 'an empty form', method: 'POST', headers: [form, 'Content-Length: 0'] },
  { name: 'JSON with double keys', method: 'PUT', headers: ['Content-Length: 13'], body: '{"a":1,"a":2}' },
  {
    name: 'bytes as text',
    method: 'POST',
    headers: ['Content-Type: text/plain', 'Content-Length: 4'],
    body: 'a\xe9\xff\0',
  },
  { name: 'QUERY without a type', method: 'QUERY', headers: ['Content-Length: 2'], body: 'xy' },
  { name: 'QUERY without a body', method: 'QUERY' },
  {
    name: 'QUERY of JSON',
    method: 'QUERY',
    headers: ['Content-Type: application/json', 'Content-Length: 1'],
    body: '{',
  },
  { name: 'QUERY of nonsense', method: 'QUERY', headers: ['Content-Type: ;;', 'Content-Length: 2'], body: 'xy' },
  { name: 'a type of nonsense', method: 'POST', headers: ['Content-Type: nonsense', 'Content-Length: 2'], body: 'xy' },
  { name: 'an empty type', method: 'POST', headers: ['Content-Type:', 'Content-Length: 2'], body: 'xy' },
  { name: 'a type of bytes', method: 'PUT', headers: ['Content-Type: \u00e9/\u00e9', 'Content-Length: 2'], body: 'xy' },
  {
    name: 'a type without an end',
    method: 'POST',
    headers: ['Content-Type: a/b; c="', 'Content-Length: 2'],
    body: 'xy',
  },
  { name: 'a type of nonsense, no body', method: 'POST', headers: ['Content-Type: */'] },
  { name: 'an unknown type', method: 'PATCH', headers: ['Content-Type: a/b;c', 'Content-Length: 2'], body: 'xy' },
  { name: 'no type', method: 'POST', headers: ['Content-Length: 2'], body: 'xy' },
  { name: 'a body of a GET', headers: ['Content-Length: 2'], body: 'xy' },
  { name: 'a body of a DELETE', method: 'DELETE', headers: ['Content-Length: 2'], body: 'xy' },
  {
    name: 'chunks',
    method: 'POST',
    headers: ['Transfer-Encoding: chunked'],
    body: '2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n',
  },
  { name: 'no chunk', method: 'POST', headers: ['Transfer-Encoding: chunked'], body: '0\r\n\r\n' },
  {
    name: 'a coded body',
    method: 'POST',
    headers: ['Content-Encoding: gzip', 'Content-Length: 3'],
    body: '\x1f\x8b\x08',
  },
].map(one => ({ ...one, http: 'only' as const }))

export const passing: RequestCase[] = [...methods, ...targets, ...headers, ...hygiene, ...bodies]

export const refused: RefusedCase[] = [
  ...['/a/../b', '/a/%2e%2e/b', '/a/.%2E/b', '/a/%252e%252e/b', '/a/./b', '/..', '/a\\b', '/a%5Cb', '/a%00b'].map(
    target => ({ name: `target ${target}`, target, status: 400 }),
  ),
  ...['//b', '/a%', '/a%zz', '/a%c3', '/a%0d%0aX:1', '/a#b', 'http://desk.test/a', '*'].map(target => ({
    name: `target ${target}`,
    target,
    status: 400,
  })),
  ...['/AUTH/login/x/y', '/auth%2flogin', '/auth;x/login', '/auth/nothing', '/auth/saml/acs/'].map(target => ({
    name: `target ${target}`,
    target,
    status: 404,
  })),
  ...['http://desk.example.com.evil/x', 'https://evil@desk.example.com/x', 'ftp://desk.example.com/x', 'https:/x'].map(
    target => ({ name: `target ${target}`, target, status: 400 }),
  ),
  ...['https://desk.example.com//x', 'https://desk.example.com/a/../b', 'https://desk.example.com:8443/x'].map(
    target => ({
      name: `target ${target}`,
      target,
      status: 400,
    }),
  ),
  { name: 'absolute form of a gateway path', target: 'https://desk.example.com/auth/nothing', status: 404 },
  { name: 'TRACE', method: 'TRACE', status: 405 },
  { name: 'two hosts', headers: ['Host: other'], status: 400 },
  {
    name: 'a gzip transfer coding',
    method: 'POST',
    headers: ['Transfer-Encoding: gzip, chunked'],
    body: '0\r\n\r\n',
    status: 400,
  },
  {
    name: 'a length and chunks',
    method: 'POST',
    headers: ['Content-Length: 5', 'Transfer-Encoding: chunked'],
    body: '0\r\n\r\n',
    status: 400,
  },
  { name: 'two lengths', method: 'POST', headers: ['Content-Length: 1', 'Content-Length: 2'], body: 'ab', status: 400 },
  { name: 'a folded header', headers: ['X-A: 1\r\n folded'], status: 400 },
  { name: 'a NUL in a header', headers: ['X-A: a\0b'], status: 400 },
  { name: 'three hundred headers', headers: Array.from({ length: 300 }, (_, at) => `X-H${at}: 1`), status: 431 },
]
