# Makes the token that logs an agent in, with Crypt::JWT (Debian's libcrypt-jwt-perl): perl sign.pl EMAIL [NAME]

use strict;
use warnings;
use Crypt::JWT qw(encode_jwt);
use Crypt::PRNG qw(random_bytes_hex);
use Encode qw(decode);

my ($email, $name) = map { decode('UTF-8', $_) } @ARGV;
die "usage: PORTAL_SECRET=(at least 32 bytes) perl sign.pl EMAIL [NAME]\n" if !defined $email;
my %claims = (email => $email, iat => time, jti => random_bytes_hex(16));
$claims{name} = $name if defined $name;
print encode_jwt(payload => \%claims, alg => 'HS256', key => $ENV{PORTAL_SECRET}), "\n";
