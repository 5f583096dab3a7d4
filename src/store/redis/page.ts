// One page of an index that is a sorted set (score: when the member ends). The order is by end, then by member; a page
// neither repeats nor skips what stays in the index, whatever is added and removed between two pages.

import type { IndexPage } from '../../core/contracts.js'
import type { Commands } from './connect.js'

/** Where the last page ended: its last member, and how many members of the same end came up to it. */
interface Place {
  score: number
  ties: number
  member: string
}

const cursorForm = /^(\d{1,16})\.(\d{1,9})\.([!-~]{1,256})$/

/** `now` in milliseconds: members that have ended by then are left out. A cursor that is not ours gives an empty page. */
export async function pageOf(
  client: Commands,
  index: string,
  { cursor, count, now }: { cursor: string | undefined; count: number; now: number },
): Promise<IndexPage> {
  const place = cursor === undefined ? undefined : placeOf(cursor)
  if (cursor !== undefined && !place) return { members: [], cursor: undefined }
  const least = place && place.score > now ? String(place.score) : `(${now}`
  // Usually the last page's last member still lies where it lay, and the next page begins right behind it.
  const from = place && place.score > now ? Math.max(0, place.ties - 1) : 0
  const rows = await read(client, index, least, from, count + 2)
  if (!place || place.score <= now) return cut(rows, count)
  if (rows[0]?.member === place.member && rows[0].score === place.score) return cut(rows.slice(1), count, place)
  return search(client, index, place, count)
}

/** The place has moved: walk through the members of the same end until the first behind it. */
async function search(client: Commands, index: string, place: Place, count: number): Promise<IndexPage> {
  for (let from = 0; ; from += 1000) {
    const rows = await read(client, index, String(place.score), from, 1000)
    const behind = rows.findIndex(({ score, member }) => score > place.score || member > place.member)
    if (behind >= 0) {
      const at = from + behind
      return cut(await read(client, index, String(place.score), at, count + 1), count, { score: place.score, ties: at })
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

/** `before`: how many members with that end lie before the first row. */
function cut(rows: Row[], count: number, before?: Pick<Place, 'score' | 'ties'>): IndexPage {
  const shown = rows.slice(0, count)
  const members = shown.map(({ member }) => member)
  const last = shown[count - 1]
  if (!last || rows.length <= count) return { members, cursor: undefined }
  const ties =
    shown.filter(({ score }) => score === last.score).length + (before?.score === last.score ? before.ties : 0)
  return { members, cursor: `${last.score}.${ties}.${last.member}` }
}

function placeOf(cursor: string): Place | undefined {
  const [, score, ties, member] = cursorForm.exec(cursor) ?? []
  if (score === undefined || ties === undefined || member === undefined) return undefined
  return { score: Number(score), ties: Number(ties), member }
}
