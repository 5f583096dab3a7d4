# What RT needs behind Deskgate. RT reads the files of RT_SiteConfig.d after RT_SiteConfig.pm and in the order of their
# names: as 99-… this one wins over Debian's 50-debconf.pm, which sets $WebPath and $WebBaseURL.

# The gateway's publicUrl: mail and cron jobs run without the variable, so write yours here.
my $public_url = $ENV{DESKGATE_PUBLIC_URL} || 'https://desk.example.com';
my ( $scheme, $host, $port ) = $public_url =~ m{^(https?)://(\[[^]]+\]|[^/:]+)(?::(\d+))?};

# The address that browsers see is the gateway's: RT compares the Referer of forms with it, and writes it into mail.
Set( $WebDomain,  $host );
Set( $WebPort,    $port || ( $scheme eq 'https' ? 443 : 80 ) );
Set( $WebBaseURL, $public_url );
Set( $WebPath,    '' );
Set( $CanonicalizeURLsInFeeds, 1 );
Set( $WebSecureCookies, $scheme eq 'https' ? 1 : 0 );
Set( @ReferrerWhitelist, $public_url =~ m{//([^/]+)} );

# The user is the one whom desk.psgi says, on every request; there is no other login, and no password to type.
Set( $WebRemoteUserAuth,       1 );
Set( $WebRemoteUserContinuous, 1 );
Set( $WebFallbackToRTLogin,    0 );
# desk.psgi makes users by itself: RT's own way gives them no e-mail address.
Set( $WebRemoteUserAutocreate, 0 );

1;
