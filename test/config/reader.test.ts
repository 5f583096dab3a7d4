// What is said of files that a configuration names and that hold a certificate in another form than PEM.

import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createReader } from '../../src/config/reader.js'
import { curveCertificate, rsaPair } from '../parts/configuration.js'

t.test('a certificate in DER is refused with the command that converts it', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-reader-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const rsa = rsaPair(Date.UTC(2035, 0, 1)).certificate
  const certificates = { 'idp.cer': rsa, 'idp.der': rsa, 'curve.crt': curveCertificate('P-256'), 'with blank.cer': rsa }
  const reader = createReader({ folder, env: {} })
  for (const [name, pem] of Object.entries(certificates)) {
    await writeFile(join(folder, name), new X509Certificate(pem).raw)
    t.throws(() => reader.file(name), { message: /is in DER, not PEM/ }, name)
    t.throws(() => reader.file(name), { message: /openssl x509 -inform DER -in \S.* -out \S.*\.pem/ }, name)
    await writeFile(join(folder, name), pem)
    t.equal(reader.file(name).text, pem, 'PEM under the same name is read')
  }
  await writeFile(join(folder, 'other.bin'), Buffer.from([0x30, 0x82, 0x00, 0x01, 0xff]))
  t.throws(() => reader.file('other.bin'), { message: /^(?!.*DER)/ }, 'what only begins like DER is not called so')
})
