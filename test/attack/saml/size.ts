// Messages made to cost time or memory: refused by the scan, before any XML library sees them, and in linear work.

import { encode, swap } from '../../parts/saml-idp.js'
import { type Attack, idp } from './attack.js'

const into = (content: string) => ({ after: swap('</saml:Subject>', `${content}</saml:Subject>`) })
const beside = (content: string) => ({
  after: swap('<samlp:Status>', `<samlp:Extensions>${content}</samlp:Extensions><samlp:Status>`),
})
const many = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => make(index)).join('')

export const size: Attack[] = [
  { name: '30,000 elements', change: into('<x/>'.repeat(30_000)) },
  { name: '30,000 elements outside of what is signed', change: beside('<x/>'.repeat(30_000)) },
  {
    name: '30,000 elements in an unsigned response',
    change: { sign: 'none' as const, ...into('<x/>'.repeat(30_000)) },
  },
  { name: '5,000 elements', change: into('<x/>'.repeat(5000)) },
  { name: '10,000 empty comments', change: into('<!---->'.repeat(10_000)) },
  { name: '10,000 empty comments before the root', change: { after: (xml: string) => '<!---->'.repeat(10_000) + xml } },
  { name: '33 comments', change: into('<!---->'.repeat(33)) },
  { name: 'elements nested 10,000 deep', change: into('<x>'.repeat(10_000) + '</x>'.repeat(10_000)) },
  { name: 'elements nested 30 deep', change: into('<x>'.repeat(30) + '</x>'.repeat(30)) },
  { name: '10,000 attributes in one element', change: into(`<x ${many(10_000, index => `a${index}="1" `)}/>`) },
  {
    name: '20 attributes in each of 1,000 elements',
    change: into(many(1000, () => `<x ${many(20, index => `a${index}="1" `)}/>`)),
  },
  {
    name: '10,000 namespaces in one element',
    change: into(`<x ${many(10_000, index => `xmlns:n${index}="urn:x" `)}/>`),
  },
  { name: '10,000 character references', change: into('&#65;'.repeat(10_000)) },
  { name: '10,000 CDATA sections', change: into('<![CDATA[]]>'.repeat(10_000)) },
  { name: 'a name of 10,000 characters', change: into(`<${'x'.repeat(10_000)}/>`) },
  { name: 'an issuer of 100 kB', change: { after: swap('<saml:Issuer>', `<saml:Issuer>${'x'.repeat(100_000)}`) } },
  { name: 'a namespace of 10 kB', change: into(`<x xmlns="urn:${'x'.repeat(10_000)}"/>`) },
  { name: 'one byte over 256 kB', message: () => encode(idp.xml().padEnd(256 * 1024 + 1)) },
  { name: '5 MB', message: () => 'QUFB'.repeat(1_250_000) },
  { name: '300 kB of line breaks around a good message', message: () => `${'\n'.repeat(300_000)}${idp.message()}` },
  { name: 'a tag that never ends', message: () => encode('<a '.repeat(80_000)) },
  { name: 'comments that never end', message: () => encode('<!--'.repeat(60_000)) },
  { name: 'CDATA that never ends', message: () => encode(`<a>${'<![CDATA['.repeat(25_000)}`) },
  { name: 'references that never end', message: () => encode(`<a>${'&'.repeat(200_000)}`) },
].map(attack => ({ reason: 'saml.malformed' as const, check: 'message', ...attack }))
