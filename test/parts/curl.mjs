// As much of curl as the guides use, for machines without: -X METHOD, -H 'NAME: VALUE', -s, and an address.

const args = process.argv.slice(2)
const headers = []
let [method, url] = ['GET', '']
while (args.length > 0) {
  const word = args.shift() ?? ''
  if (word === '-X') method = args.shift() ?? ''
  else if (word === '-H') headers.push((args.shift() ?? '').split(/: (.*)/s).slice(0, 2))
  else if (word !== '-s') url = word
}
const answer = await fetch(url, { method, headers })
process.stdout.write(await answer.text())
