# Request Tracker behind Deskgate: Debian's own rt-server, but the user is the agent whom Deskgate's signed assertion
# names. A request without a valid one is stopped, wherever it comes from. Run by plackup.

use strict;
use warnings;
use File::Basename qw(dirname);
use Plack::Util ();
use lib dirname(__FILE__);
use Deskgate ();

my ( $public_url, $audience ) = @ENV{qw(DESKGATE_PUBLIC_URL DESKGATE_AUDIENCE)};
my $gate = Deskgate->new(
    issuer   => $public_url,
    audience => $audience,
    jwks     => $ENV{DESKGATE_JWKS} || "$public_url/auth/jwks.json",
);

my $rt = Plack::Util::load_psgi( $ENV{RT_SERVER} || '/usr/share/request-tracker5/libexec/rt-server' );

my ( $scheme, $port ) = $public_url =~ m{^(https?)://(?:\[[^]]+\]|[^/:]+)(?::(\d+))?}
    or die "DESKGATE_PUBLIC_URL is not set: it is the gateway's publicUrl\n";
$port ||= $scheme eq 'https' ? 443 : 80;

# With another base URL or path RT's pages have no styles, and its links lead to nothing.
my %wanted = ( WebBaseURL => $public_url, WebPath => '', WebRemoteUserAuth => 1, WebRemoteUserContinuous => 1 );
my @wrong = map { qq{\$$_ is "} . ( RT->Config->Get($_) // '' ) . qq{", and must be "$wanted{$_}"} }
    grep { ( RT->Config->Get($_) // '' ) ne $wanted{$_} } sort keys %wanted;
my $settings = "RT's settings: " . join( '; ', @wrong ) . ' (RT_SiteConfig.d/99-deskgate.pm)';
warn "$settings\n" if @wrong;

# RT's REST 2.0 would take its own session cookie and passwords for a login; here too the assertion counts.
require RT::REST2::Middleware::Auth;
{
    no warnings 'once';
    @RT::REST2::Middleware::Auth::auth_priority = ( 'login_by_deskgate', 'login_from_authtoken' );
    *RT::REST2::Middleware::Auth::login_by_deskgate = sub {
        my ( $self, $env ) = @_;
        return if !defined $env->{REMOTE_USER};
        my $user = RT::CurrentUser->new;
        $user->Load( $env->{REMOTE_USER} );
        return $user->id ? $user : undef;
    };
}

# RT knows people by name, Deskgate by e-mail address: the user who has the address, made on the first visit.
sub rt_user {
    my ($claims) = @_;
    my $email = $claims->{email};
    RT::ConnectToDatabase();
    my $user = RT::User->new( RT->SystemUser );
    $user->LoadByEmail($email);
    return $user if $user->id;
    my ( $made, $why ) = $user->Create(
        Name         => $email,
        EmailAddress => $email,
        RealName     => $claims->{name} // '',
        Privileged   => 1,
    );
    # Two first requests at once: the other one has made it.
    $user->LoadByEmail($email) if !$made;
    RT->Logger->error("No RT user for $email: $why") if !$user->id;
    return $user;
}

# The one request that comes without an agent: Deskgate reads the list of users by itself, with a token of RT's.
sub asks_for_list {
    my ($env) = @_;
    return
           $env->{REQUEST_METHOD} eq 'GET'
        && $env->{PATH_INFO} =~ m{^/REST/2\.0/users/?$}
        && ( $env->{HTTP_AUTHORIZATION} // '' ) =~ /^token \S+$/i;
}

sub answer {
    my ( $status, $text, @headers ) = @_;
    return [ $status, [ 'Content-Type' => 'text/plain; charset=utf-8', 'Cache-Control' => 'no-store', @headers ], ["$text\n"] ];
}

# `deskgate doctor` asks who it is let in as, and is no user: RT would offer it as the owner of every ticket.
sub answer_to_doctor {
    return answer( 500, $settings ) if @wrong;
    RT::ConnectToDatabase();
    return answer( 200, "Request Tracker takes agents from $public_url.", 'X-Frame-Options' => 'DENY' );
}

sub {
    my ($env) = @_;
    delete $env->{REMOTE_USER};
    $env->{SERVER_PORT} = $port;
    return $rt->($env) if !defined $env->{HTTP_X_AGENT_ASSERTION} && asks_for_list($env);
    my $claims = $gate->claims( $env->{HTTP_X_AGENT_ASSERTION} )
        or return answer( 401, "Request Tracker takes requests from Deskgate alone. Open $public_url" );
    return answer_to_doctor() if $claims->{email} eq 'doctor@invalid';
    my $user = rt_user($claims);
    return answer( 403, 'Request Tracker has disabled this user, or has no place for another one.' )
        if !$user->id || $user->Disabled;
    $env->{REMOTE_USER} = $user->Name;
    return $rt->($env);
};
