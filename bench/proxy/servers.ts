// nginx and HAProxy without any check: what it costs to pass a request on.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../test/parts/ports.js'
import { gatewayCore } from './machine.js'
import { type Peer, startProgram } from './peer.js'
import { bodies, rates } from './run.js'

/** One worker in the foreground; `server` is the inside of its only server block. */
export function nginxConfiguration(folder: string, name: string, server: string, more = ''): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    kind => `${kind}_temp_path ${folder}/${name}-${kind};`,
  )
  return `daemon off; worker_processes 1; pid ${folder}/${name}.pid; error_log ${folder}/${name}.log warn;
events { worker_connections 4096; }
http {
access_log off; keepalive_requests 1000000; ${temporary.join(' ')}
${more}
server { ${server} }
}
`
}

export const nginx: Peer = {
  name: 'nginx, no checks',
  key: 'nginx',
  takes: [...rates, ...bodies, 'websocket'],
  async start({ folder, desk }) {
    const port = await freePort()
    const file = join(folder, 'plain.conf')
    const server = `listen 127.0.0.1:${port};
proxy_http_version 1.1; proxy_set_header Host desk.example.com;
proxy_request_buffering off; client_max_body_size 0; proxy_max_temp_file_size 0;
location / { proxy_pass http://desk; proxy_set_header Connection ""; }
location /echo { proxy_pass http://desk; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }`
    const upstream = `upstream desk { server 127.0.0.1:${desk.openPort}; keepalive 64; keepalive_requests 1000000; }`
    await writeFile(file, nginxConfiguration(folder, 'plain', server, upstream))
    const program = await startProgram('nginx', ['-c', file], { port, cores: gatewayCore })
    return { port, headers: {}, pids: [program.pid], stop: program.stop }
  },
}

export const haproxy: Peer = {
  name: 'HAProxy, no checks',
  key: 'haproxy',
  program: 'haproxy',
  takes: [...rates, ...bodies, 'websocket'],
  async start({ folder, desk }) {
    const port = await freePort()
    const file = join(folder, 'haproxy.cfg')
    const text = `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 75s
  timeout server 60s
frontend agents
  bind 127.0.0.1:${port}
  default_backend desk
backend desk
  server one 127.0.0.1:${desk.openPort}
`
    await writeFile(file, text)
    const program = await startProgram('haproxy', ['-db', '-f', file], { port, cores: gatewayCore })
    return { port, headers: {}, pids: [program.pid], stop: program.stop }
  },
}
