// SimpleSAMLphp 1.19 encrypts with AES-128-CBC and has no setting for anything else. Here its own classes are loaded with
// that one word changed, as its later versions and others have it: the rest of what it writes stays its own.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export type SspCipher = 'AES128_CBC' | 'AES128_GCM' | 'AES256_GCM'

const classes = ['EncryptedAssertion', 'Assertion', 'LogoutRequest']
const word = 'new XMLSecurityKey(XMLSecurityKey::AES128_CBC)'

/** Writes the changed classes into `folder`; the path of a file for PHP's auto_prepend_file. `root`: of SimpleSAMLphp. */
export async function writeCipher(folder: string, root: string, cipher: SspCipher): Promise<string> {
  const changed = join(folder, 'changed')
  await mkdir(changed)
  for (const name of classes) {
    const text = await readFile(join(root, `vendor/simplesamlphp/saml2/src/SAML2/${name}.php`), 'utf8')
    if (text.split(word).length !== 2) throw new Error(`${name}.php is not as it was`)
    await writeFile(
      join(changed, `${name}.php`),
      text.replace(word, () => word.replace('AES128_CBC', cipher)),
    )
  }
  const file = join(folder, 'prepend.php')
  // Composer's own loader puts itself first: it is asked for before.
  await writeFile(
    file,
    `<?php
require_once ${JSON.stringify(join(root, 'vendor/autoload.php'))};
spl_autoload_register(function ($class) {
    $file = ${JSON.stringify(changed)} . '/' . substr($class, 6) . '.php';
    if (in_array(substr($class, 6), ${JSON.stringify(classes)}) && strpos($class, 'SAML2\\\\') === 0) require $file;
}, true, true);
`,
  )
  return file
}
