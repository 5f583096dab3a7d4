// The parts that tests need beside Node: where they are, how to get them, what is left out without them.
// It only looks; installing is the test command's job.

import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

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
    needed: 'a rolling restart behind a load balancer',
    otherwise: 'or set HAPROXY to the path of an haproxy 2.4 or newer',
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
]

/** @type {import('./parts.mjs').find} */
export function find(name, env = process.env) {
  const part = parts.find(part => part.name === name)
  if (!part) return undefined
  const named = env[part.variable]
  const isThis = part.folders ? existsSync : runs
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

function runs(path) {
  if (!existsSync(path)) return false
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
