// The contract of the store, and what every backend takes as arguments: keys, members, values and times with one meaning. An
// invalid call fails closed, as StoreUnavailable, before anything is written. The tests hold every backend to it
// (test/parts/store-backends.ts).

import { StoreUnavailable } from './errors.js'

export interface IndexPage {
  members: string[]
  /** Hand it back for the next page; undefined after the last. */
  cursor: string | undefined
}

/** Whether a write outlives the server that took it: a replica has it, none has it yet, or none is meant to. */
export type Replication = 'replicated' | 'not replicated' | 'single'

/**
 * Keeps sessions, replay markers and reports of refused logins as bytes. Keys come without the operator's prefix.
 * Every method fails with StoreUnavailable (core/errors.ts) and nothing else; a failure is never "not there".
 * A time to live is in milliseconds and only cleans up: the reader judges the times in the record by its own Clock.
 */
export interface Store {
  get(key: string): Promise<Buffer | undefined>
  set(key: string, value: Buffer, ttl: number): Promise<void>
  /** How many of the keys were there. */
  delete(keys: string[]): Promise<number>
  /** Atomic: true for the first caller within ttl, false for every other, on every replica. */
  claim(key: string, ttl: number): Promise<boolean>
  /**
   * Adds one, atomically and on every replica alike: how many it is now. `ttl` counts from the first; a new count begins after
   * `from`. `get` reads it as decimal digits.
   */
  count(key: string, ttl: number, from?: number): Promise<number>
  /** Puts a member into the index at `key`, to be dropped after ttl. */
  indexAdd(key: string, member: string, ttl: number): Promise<void>
  indexRemove(key: string, members: string[]): Promise<void>
  /** Members whose time has not come, in a stable order; undefined cursor for the first page. */
  indexPage(key: string, cursor: string | undefined, count: number): Promise<IndexPage>
  /** Whether there is room for something that nobody's login depends on: a tenth of the memory stays free. `key`: where it goes. */
  hasRoom(key: string): Promise<boolean>
  publish(channel: string, message: string): Promise<void>
  /**
   * Messages of one channel. onGap whenever the subscription has become whole, at the first time too: messages may have
   * been missed before. onBreak when it is whole no more.
   */
  subscribe(channel: string, onMessage: (message: string) => void, onGap: () => void, onBreak?: () => void): void
  /** Waits, a tenth of a second at most, until what this process has written so far would outlive its server. */
  replication(): Promise<Replication>
  /** A real write, read and delete. The error's message says what an operator has to fix. */
  probe(): Promise<void>
  close(): Promise<void>
}

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
