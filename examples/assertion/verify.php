<?php
// Desk's side: verifies X-Agent-Assertions and prints whose they are, a line for each. php verify.php ASSERTION ...
// With PHP and its openssl extension alone; firebase/php-jwt does the same (see docs/assertion.md).

final class Refused extends Exception
{
}

function decode(string $part): string
{
    $bytes = base64_decode(strtr($part, '-_', '+/'), true);
    return $bytes === false ? throw new Refused('no base64url') : $bytes;
}

/** Keep the key set between requests (APCu, a file); fetch it again when a kid is unknown, once a minute at most. */
function publicKey(string $kid): OpenSSLAsymmetricKey
{
    foreach (json_decode((string) file_get_contents(getenv('JWKS_URL')), true)['keys'] ?? [] as $key) {
        if (($key['kid'] ?? null) !== $kid || ($key['kty'] ?? '') !== 'EC' || ($key['crv'] ?? '') !== 'P-256') {
            continue;
        }
        // SubjectPublicKeyInfo of a P-256 key (RFC 5480): a fixed head, then the point.
        $head = hex2bin('3059301306072a8648ce3d020106082a8648ce3d03010703420004');
        $point = str_pad(decode($key['x']), 32, "\0", STR_PAD_LEFT) . str_pad(decode($key['y']), 32, "\0", STR_PAD_LEFT);
        $pem = "-----BEGIN PUBLIC KEY-----\n" . chunk_split(base64_encode($head . $point), 64, "\n") . '-----END PUBLIC KEY-----';
        return openssl_pkey_get_public($pem) ?: throw new Refused('a key that cannot be read');
    }
    throw new Refused('no key of that kid');
}

/** Two numbers side by side (RFC 7518, 3.4) as the DER that OpenSSL wants. */
function der(string $signature): string
{
    if (strlen($signature) !== 64) {
        throw new Refused('a signature of another length');
    }
    $integer = function (string $number): string {
        $number = ltrim($number, "\0");
        if ($number === '' || ord($number[0]) > 0x7f) {
            $number = "\0" . $number;
        }
        return "\x02" . chr(strlen($number)) . $number;
    };
    $both = $integer(substr($signature, 0, 32)) . $integer(substr($signature, 32));
    return "\x30" . chr(strlen($both)) . $both;
}

function verify(string $assertion): array
{
    $parts = explode('.', $assertion);
    if (count($parts) !== 3) {
        throw new Refused('not three parts');
    }
    $header = json_decode(decode($parts[0]), true);
    // The algorithm is ours to choose, never the token's.
    if (($header['alg'] ?? null) !== 'ES256' || !is_string($header['kid'] ?? null)) {
        throw new Refused('another algorithm, or no kid');
    }
    $signed = openssl_verify("$parts[0].$parts[1]", der(decode($parts[2])), publicKey($header['kid']), OPENSSL_ALGO_SHA256);
    if ($signed !== 1) {
        throw new Refused('the signature is not right');
    }
    $claims = json_decode(decode($parts[1]), true);
    foreach (['iss' => getenv('ASSERTION_ISSUER'), 'aud' => getenv('ASSERTION_AUDIENCE')] as $name => $wanted) {
        if (($claims[$name] ?? null) !== $wanted) {
            throw new Refused("another $name");
        }
    }
    if (!is_int($claims['exp'] ?? null) || $claims['exp'] <= time()) {
        throw new Refused('it has run out');
    }
    return $claims;
}

foreach (array_slice($argv, 1) as $assertion) {
    try {
        echo verify($assertion)['email'] . "\n";
    } catch (Refused $refused) {
        echo 'refused: ' . $refused->getMessage() . "\n";
    }
}
