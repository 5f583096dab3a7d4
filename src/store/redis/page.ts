// One page of an index, which is a sorted set (score: when the member expires). The order is by score, then by member.
// A page neither repeats nor skips a member that stays in the index, whatever is added and removed between two pages.

import type { IndexPage } from '../../core/contracts.js'
import type { Commands } from './client.js'

/** Where the last page ended: its last member, and how many members with the same score came up to it. */
interface PagePosition {
  score: number
  ties: number
  member: string
}

const cursorForm = /^(\d{1,16})\.(\d{1,9})\.([!-~]{1,256})$/

/** `now` in milliseconds: members that have expired by then are left out. An invalid cursor gives an empty page. */
export async function pageOf(
  client: Commands,
  index: string,
  { cursor, count, now }: { cursor: string | undefined; count: number; now: number },
): Promise<IndexPage> {
  const position = cursor === undefined ? undefined : parseCursor(cursor)
  if (cursor !== undefined && !position) return { members: [], cursor: undefined }
  const least = position && position.score > now ? String(position.score) : `(${now}`
  // Usually the last member of the last page has not moved, and the next page begins right behind it.
  const from = position && position.score > now ? Math.max(0, position.ties - 1) : 0
  const rows = await read(client, index, least, from, count + 2)
  if (!position || position.score <= now) return toPage(rows, count)
  if (rows[0]?.member === position.member && rows[0].score === position.score)
    return toPage(rows.slice(1), count, position)
  return search(client, index, position, count)
}

/** The position has moved: walks through the members with the same score to the first one behind it. */
async function search(client: Commands, index: string, position: PagePosition, count: number): Promise<IndexPage> {
  for (let from = 0; ; from += 1000) {
    const rows = await read(client, index, String(position.score), from, 1000)
    const behind = rows.findIndex(({ score, member }) => score > position.score || member > position.member)
    if (behind >= 0) {
      const at = from + behind
      return toPage(await read(client, index, String(position.score), at, count + 1), count, {
        score: position.score,
        ties: at,
      })
    }
    if (rows.length < 1000) return { members: [], cursor: undefined }
  }
}

async function read(client: Commands, index: string, least: string, from: number, count: number): Promise<Row[]> {
  const flat = await client.zrangebyscore(index, least, '+inf', 'WITHSCORES', 'LIMIT', from, count)
  const rows: Row[] = []
  for (let at = 0; at + 1 < flat.length; at += 2) rows.push({ member: flat[at] ?? '', score: Number(flat[at + 1]) })
  return rows
}

interface Row {
  member: string
  score: number
}

/** `before`: how many members with that score precede the first row. */
function toPage(rows: Row[], count: number, before?: Pick<PagePosition, 'score' | 'ties'>): IndexPage {
  const shown = rows.slice(0, count)
  const members = shown.map(({ member }) => member)
  const last = shown[count - 1]
  if (!last || rows.length <= count) return { members, cursor: undefined }
  const ties =
    shown.filter(({ score }) => score === last.score).length + (before?.score === last.score ? before.ties : 0)
  return { members, cursor: `${last.score}.${ties}.${last.member}` }
}

function parseCursor(cursor: string): PagePosition | undefined {
  const [, score, ties, member] = cursorForm.exec(cursor) ?? []
  if (score === undefined || ties === undefined || member === undefined) return undefined
  return { score: Number(score), ties: Number(ties), member }
}
