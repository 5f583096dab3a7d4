<?php
// Makes the token that logs an agent in: php sign.php EMAIL [NAME]
// With PHP alone; firebase/php-jwt makes the same token (see docs/jwt.md).

$secret = (string) getenv('PORTAL_SECRET');
$email = $argv[1] ?? '';
if (strlen($secret) < 32 || $email === '') {
    fwrite(STDERR, "usage: PORTAL_SECRET=(at least 32 bytes) php sign.php EMAIL [NAME]\n");
    exit(2);
}

$part = fn (string $bytes): string => rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
$json = fn (array $value): string => json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE);

$claims = ['email' => $email, 'iat' => time(), 'jti' => bin2hex(random_bytes(16))];
if (isset($argv[2])) {
    $claims['name'] = $argv[2];
}
$input = $part($json(['alg' => 'HS256', 'typ' => 'JWT'])) . '.' . $part($json($claims));
echo $input . '.' . $part(hash_hmac('sha256', $input, $secret, true)) . "\n";
