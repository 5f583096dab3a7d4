# Who asks, as Deskgate says it: verifies X-Agent-Assertion (a JWS, ES256) with the keys that the gateway publishes.
# It trusts nothing else: a plain X-Agent-Email can be sent by everybody who reaches this server.

package Deskgate;

use strict;
use warnings;
use Crypt::JWT qw(decode_jwt);
use HTTP::Tiny;
use JSON qw(decode_json);

# Seconds: how long keys are used before they are read again, and how soon an unknown key may ask for them anew.
my ( $keys_last, $ask_again ) = ( 300, 10 );

# issuer: the gateway's publicUrl; audience: identity.assertion.audience or the origin of desk.url; jwks: the address of
# the keys, as this host reaches it.
sub new {
    my ( $class, %settings ) = @_;
    my $http = HTTP::Tiny->new( timeout => 5, max_redirect => 0, max_size => 65536, verify_SSL => 1 );
    return bless { %settings, http => $http, read_at => 0, asked_at => 0 }, $class;
}

# The claims of an assertion; undef when it is missing, forged, out of time or meant for somebody else.
sub claims {
    my ( $self, $token ) = @_;
    return undef if !defined $token || length $token > 16384;
    my ($header) = eval { decode_jwt( token => $token, decode_header => 1, ignore_signature => 1 ) };
    my $kid = ref $header eq 'HASH' ? $header->{kid} : undef;
    return undef if !defined $kid || ref $kid;
    my $keys = $self->keys_with($kid) or return $self->tell('its key is not among the published ones');
    my $claims = eval {
        decode_jwt(
            token        => $token,
            kid_keys     => $keys,
            accepted_alg => 'ES256',
            verify_iss   => $self->{issuer},
            verify_aud   => $self->{audience},
            verify_iat   => 1,
            verify_exp   => 1,
            leeway       => 5,
        );
    };
    $self->tell($@) if $@;
    return undef if ref $claims ne 'HASH' || !defined $claims->{email} || ref $claims->{email};
    return $claims;
}

# The published keys, read anew when they are old or do not hold this one; undef when it is not among them.
sub keys_with {
    my ( $self, $kid ) = @_;
    my $known = sub { grep { ( $_->{kid} // '' ) eq $kid } @{ $self->{keys}{keys} // [] } };
    my $old = time - $self->{read_at} > $keys_last;
    $self->read_keys if ( $old || !$known->() ) && time - $self->{asked_at} >= $ask_again;
    return $known->() ? $self->{keys} : undef;
}

# Why an assertion was refused, such as a wrong aud, for the log: not more often than anybody could fill it.
sub tell {
    my ( $self, $why ) = @_;
    return undef if time - ( $self->{told_at} // 0 ) < $ask_again;
    $self->{told_at} = time;
    $why =~ s/[^\x20-\x7e]+/ /g;
    warn "Deskgate's assertion refused, issuer $self->{issuer} and audience $self->{audience} are wanted: $why\n";
    return undef;
}

# What cannot be read leaves the old keys in use.
sub read_keys {
    my ($self) = @_;
    $self->{asked_at} = time;
    my $answer = $self->{http}->get( $self->{jwks} );
    my $keys = $answer->{success} ? eval { decode_json( $answer->{content} ) } : undef;
    if ( ref $keys ne 'HASH' || ref $keys->{keys} ne 'ARRAY' ) {
        # HTTP::Tiny: 599 is no response at all, and the content says why.
        my $why = $answer->{success} ? 'no key set' : $answer->{status} == 599 ? $answer->{content} : $answer->{reason};
        $why =~ s/[^\x20-\x7e]+/ /g;
        warn "Deskgate's keys could not be read from $self->{jwks}: $answer->{status} $why\n";
        return;
    }
    @$self{qw(keys read_at)} = ( $keys, time );
    return;
}

1;
