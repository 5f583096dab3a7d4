// nginx as a gateway: plain, and with auth_request and a checker that asks Redis.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../test/parts/ports.js'
import { startRedis } from '../../test/parts/redis.js'
import { email } from './desk.js'
import { gatewayCore } from './machine.js'
import { nginxConfiguration } from './nginx-configuration.js'
import type { Peer } from './peer.js'
import { compiled, startProgram } from './program.js'

const upstream = (port: number, name = 'desk') =>
  `upstream ${name} { server 127.0.0.1:${port}; keepalive 64; keepalive_requests 1000000; }\n`
const pass = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host desk.example.com;'
const streamed = 'proxy_buffering on; proxy_request_buffering off; client_max_body_size 0; proxy_max_temp_file_size 0;'
const sockets = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_http_version 1.1;'

/** The practical limit of what a proxy costs. */
export const nginx: Peer = {
  name: 'nginx',
  key: 'nginx',
  async start({ folder, desk }) {
    const port = await freePort()
    const file = join(folder, 'plain.conf')
    const server = `listen 127.0.0.1:${port};
location / { proxy_pass http://desk; ${pass} ${streamed} }
location /echo { proxy_pass http://127.0.0.1:${desk.echoPort}; ${sockets} }`
    await writeFile(file, nginxConfiguration(folder, 'plain', server, upstream(desk.openPort)))
    const program = await startProgram('nginx', ['-c', file], { port, cores: gatewayCore })
    return { port, headers: {}, pids: [program.pid], stop: program.stop }
  },
}

/** As teams do who have no gateway: a sub-request to a small checker, which reads the session from Redis. */
export const authRequest: Peer = {
  name: 'nginx + auth_request, a checker with Redis',
  key: 'auth-request',
  identity: 'X-Agent-Email',
  async start({ folder, desk, node }) {
    const [port, checkerPort] = [await freePort(), await freePort()]
    const redis = await startRedis({ process: 'own' })
    await redis.command('SET', 'session:measured', JSON.stringify({ email }))
    const args = [...(await compiled(folder, 'checker')), `${checkerPort}`, redis.url]
    const checker = await startProgram(node, args, { port: checkerPort, cores: gatewayCore })
    const file = join(folder, 'checked.conf')
    const server = `listen 127.0.0.1:${port};
location / { auth_request /check; auth_request_set $email $upstream_http_x_agent_email;
  proxy_pass http://desk; ${pass} ${streamed} proxy_set_header X-Agent-Email $email; }
location = /check { internal; client_max_body_size 0; proxy_pass http://checker; ${pass} proxy_pass_request_body off; proxy_set_header Content-Length ""; }`
    const more = upstream(desk.agentPort) + upstream(checkerPort, 'checker')
    await writeFile(file, nginxConfiguration(folder, 'checked', server, more))
    const program = await startProgram('nginx', ['-c', file], { port, cores: gatewayCore })
    return {
      port,
      headers: { cookie: 'session=measured' },
      pids: [program.pid, checker.pid],
      async stop() {
        await Promise.all([program.stop(), checker.stop()])
        await redis.stop()
      },
    }
  },
}
