// Validates the arguments of every store: keys, members, values and times with one meaning. An invalid call fails
// closed, as StoreUnavailable, before anything is written.

import { StoreUnavailable } from '../core/errors.js'

/** Printable ASCII without spaces: keys are made of hashes and fixed letters. */
const namePattern = /^[!-~]{1,256}$/
const maxPageSize = 1000
/** Of a store's memory: from there on there is no room for what no login depends on. */
export const usableShare = 0.9

/** Throws unless `key` can name an entry (or a channel, or an index member). */
export function checkName(key: string): void {
  if (typeof key !== 'string' || !namePattern.test(key)) throw new StoreUnavailable('a key that the store cannot take')
}

/** Throws unless `ttl` is a whole number of milliseconds, at least one. */
export function checkTtl(ttl: number): void {
  // Attack: NaN, 0 or a fraction would be an error at Redis for one command and "for ever" for another.
  if (!Number.isSafeInteger(ttl) || ttl < 1) throw new StoreUnavailable('a time to live must be a whole number from 1')
}

/** Throws unless a count can begin after `from`. */
export function checkStart(from: number): void {
  if (!Number.isSafeInteger(from) || from < 0) throw new StoreUnavailable('a count begins at a whole number')
}

/** Throws unless `value` is bytes. */
export function checkValue(value: Buffer): void {
  // Attack: ioredis writes undefined as "" and flattens an array into more arguments.
  if (!Buffer.isBuffer(value)) throw new StoreUnavailable('a value must be bytes')
}

/** Throws unless `count` is the size of a page: 1 to 1000. */
export function checkCount(count: number): void {
  if (!Number.isSafeInteger(count) || count < 1 || count > maxPageSize) {
    throw new StoreUnavailable('a page has 1 to 1000 members')
  }
}
