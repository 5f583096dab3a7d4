// The demo Desk's style sheet, script and logo: its public files, which pass the gateway without a session.

const style = `
:root { --ink: #1b2730; --soft: #5b6b76; --line: #dde4e8; --paper: #fff; --ground: #f1f5f6; --accent: #0d6b66; --tint: #e0f0ee;
  --bad: #9b1c1c; --bad-tint: #fdeceb; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
a { color: inherit; text-underline-offset: 2px; }
header { background: var(--paper); border-bottom: 1px solid var(--line); }
.bar { max-width: 1120px; margin: 0 auto; padding: 12px 24px; display: flex; align-items: center; gap: 20px; }
.logo { display: flex; align-items: center; gap: 10px; font-weight: 650; text-decoration: none; letter-spacing: -.01em; }
.logo img { width: 30px; height: 30px; display: block; }
nav { display: flex; gap: 4px; flex: 1; }
nav a { text-decoration: none; color: var(--soft); padding: 6px 12px; border-radius: 8px; }
nav a:hover { background: var(--ground); }
nav a[aria-current] { color: var(--accent); background: var(--tint); font-weight: 600; }
.me { display: flex; align-items: center; gap: 10px; font-weight: 600; white-space: nowrap; }
.avatar { flex: none; width: 34px; height: 34px; border-radius: 50%; display: grid; place-items: center; background: var(--accent);
  color: #fff; font-size: 13px; font-weight: 600; }
.avatar.customer { background: #dfe5e9; color: #3b4a55; }
button { font: inherit; font-weight: 600; border-radius: 9px; padding: 8px 16px; cursor: pointer; border: 1px solid var(--line);
  background: var(--paper); color: var(--ink); }
button:hover { background: var(--ground); }
button.main { background: var(--accent); border-color: var(--accent); color: #fff; }
button.main:hover { background: #0a5652; }
:focus-visible { outline: 3px solid rgb(13 107 102 / 35%); outline-offset: 1px; }
.page { max-width: 1120px; margin: 0 auto; padding: 28px 24px 56px; display: grid; grid-template-columns: minmax(0, 1fr) 340px; gap: 24px; align-items: start; }
h1 { font-size: 26px; line-height: 1.25; letter-spacing: -.015em; margin: 0; }
h2 { font-size: 16px; margin: 0; }
.lead { color: var(--soft); margin: 4px 0 18px; }
.live { display: flex; align-items: center; gap: 8px; font-size: 14px; color: var(--soft); margin: 0 0 16px; min-height: 21px; }
.live::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: #b9c4cb; flex: none; }
.live.on::before { background: #2f9e6a; box-shadow: 0 0 0 3px rgb(47 158 106 / 18%); }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 14px; overflow: hidden; }
.card + .card { margin-top: 16px; }
.tickets { list-style: none; margin: 0; padding: 0; }
.tickets li + li { border-top: 1px solid var(--line); }
.tickets a, .tickets div { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 2px 16px; padding: 15px 20px; text-decoration: none; }
.tickets a:hover { background: #f8fafb; }
.tickets b { font-weight: 600; }
.tickets small { color: var(--soft); font-size: 14px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.when { color: var(--soft); font-size: 14px; text-align: right; white-space: nowrap; }
.pill { justify-self: end; align-self: start; font-size: 12px; font-weight: 600; padding: 2px 10px; border-radius: 99px; background: #e7ecef; color: #44545f; }
.pill.new { background: #fdebd2; color: #8a4b08; }
.pill.open { background: var(--tint); color: var(--accent); }
.pill.waiting { background: #e6e9fb; color: #3d3f9e; }
.aside-head { display: flex; align-items: center; justify-content: space-between; gap: 12px; padding: 16px 20px 0; }
.seal { font-size: 12px; font-weight: 600; padding: 3px 10px; border-radius: 99px; background: #ddf3e6; color: #17633a; white-space: nowrap; }
.card p { margin: 8px 20px 0; color: var(--soft); font-size: 14px; }
dl { margin: 14px 20px 18px; display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 7px 14px; font-size: 14px; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; font-weight: 500; }
details { border-top: 1px solid var(--line); font-size: 14px; }
summary { padding: 12px 20px; cursor: pointer; color: var(--soft); }
details dl { margin-top: 2px; grid-template-columns: minmax(0, 1fr); gap: 2px; }
details dd { margin-bottom: 8px; }
code, details dt, details dd { font: 13px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
.numbers { display: grid; grid-template-columns: repeat(4, 1fr); margin: 14px 12px 16px; text-align: center; }
.numbers b { display: block; font-size: 22px; line-height: 1.2; }
.numbers span { font-size: 13px; color: var(--soft); }
.back { display: inline-block; color: var(--soft); text-decoration: none; margin-bottom: 10px; font-size: 15px; }
.back:hover { color: var(--accent); }
.title .pill { align-self: center; }
.title { display: flex; align-items: center; gap: 12px; flex-wrap: wrap; }
.talk { list-style: none; margin: 0; padding: 8px 20px; }
.talk li { display: flex; gap: 14px; padding: 14px 0; }
.talk li + li { border-top: 1px solid var(--line); }
.talk p { margin: 2px 0 0; color: var(--ink); font-size: 16px; white-space: pre-line; overflow-wrap: anywhere; }
.talk small { color: var(--soft); font-size: 14px; margin-left: 6px; }
.reply { border-top: 1px solid var(--line); padding: 18px 20px 20px; background: #fafcfc; }
.reply label { display: block; font-weight: 600; margin-bottom: 8px; }
textarea { width: 100%; min-height: 96px; font: inherit; color: inherit; padding: 10px 12px; border: 1px solid #c9d3d9; border-radius: 9px; resize: vertical; margin-bottom: 10px; }
.alone { max-width: 620px; margin: 10vh auto; padding: 0 20px; }
.alarm { background: var(--bad-tint); border: 2px solid var(--bad); border-radius: 14px; padding: 26px 28px; }
.alarm h1 { color: var(--bad); }
.alarm small { display: block; color: var(--bad); font-weight: 600; margin-bottom: 4px; }
.alarm p { margin: 10px 0 0; }
@media (max-width: 860px) { .page { grid-template-columns: minmax(0, 1fr); padding: 20px 16px 40px; } }
@media (max-width: 560px) { .bar { flex-wrap: wrap; padding: 10px 16px; gap: 8px 12px; } .logo { flex: 1; } .me span { display: none; }
  nav { order: 3; flex-basis: 100%; } button { padding: 7px 12px; } h1 { font-size: 23px; } }
`

const script = `
const line = document.getElementById('live')
const source = new EventSource('/live')
const say = text => { line.textContent = text }
// A logout ends the stream before the next page is there, and the browser would report that as an error.
document.querySelector('header form').addEventListener('submit', () => source.close())
source.addEventListener('open', () => line.classList.add('on'))
source.addEventListener('error', () => { line.classList.remove('on'); say('Live updates are interrupted; trying again.') })
source.addEventListener('here', event => {
  const { agents } = JSON.parse(event.data)
  say('Live updates are on. Here now: ' + agents.join(', ') + '.')
})
source.addEventListener('reply', event => {
  const { agent, ticket } = JSON.parse(event.data)
  say(agent + ' replied to #' + ticket + ' just now.')
})
`

const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 30"><rect width="30" height="30" rx="9" fill="#0d6b66"/>
<path d="M6 17.5c2.2 0 2.2-2 4.500-2s2.3 2 4.500 2 2.2-2 4.500-2 2.3 2 4.500 2" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"/>
<path d="M6 22c2.2 0 2.2-2 4.500-2s2.3 2 4.500 2 2.2-2 4.500-2 2.3 2 4.500 2" fill="none" stroke="#9ad4cf" stroke-width="2" stroke-linecap="round"/>
<circle cx="19.5" cy="9" r="3" fill="#ffd479"/></svg>`

/** By their name below /assets/. */
export const assets: Readonly<Record<string, { type: string; text: string }>> = {
  'desk.css': { type: 'text/css; charset=utf-8', text: style },
  'desk.js': { type: 'text/javascript; charset=utf-8', text: script },
  'logo.svg': { type: 'image/svg+xml', text: logo },
}
