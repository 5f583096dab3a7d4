# Request Tracker's settings for work behind Deskgate. Nothing here or below touches RT's own files in /etc and /var.

my $data = $ENV{DESK_DATA};                  # the folder of this RT: database, sessions, caches
my $public_url = $ENV{DESKGATE_PUBLIC_URL};    # the gateway's publicUrl

Set( $rtname,       'desk.example' );
Set( $Organization, 'desk.example' );
Set( $Timezone,     'UTC' );

Set( $DatabaseType, 'SQLite' );
Set( $DatabaseName, "$data/rt5.sqlite3" );
$RT::VarPath         = $data;
$RT::MasonDataDir    = "$data/mason";
$RT::MasonSessionDir = "$data/sessions";
$RT::MasonLocalComponentRoot = $ENV{RT_LOCAL_HTML};

# The address that browsers see is the gateway's: RT compares the Referer of forms with it, and writes it into mail.
Set( $WebBaseURL, $public_url );
Set( $WebPath,    '' );
Set( $CanonicalizeURLsInFeeds,  1 );
Set( $WebSecureCookies, $public_url =~ /^https:/ ? 1 : 0 );
Set( @ReferrerWhitelist, $public_url =~ m{//([^/]+)} );

# The user is the one whom desk.psgi says, on every request; there is no other way in, and no password to type.
Set( $WebRemoteUserAuth,       1 );
Set( $WebRemoteUserContinuous, 1 );
Set( $WebFallbackToRTLogin,    0 );
# desk.psgi makes users by itself: RT's own way gives them no e-mail address.
Set( $WebRemoteUserAutocreate, 0 );

# Mail goes into a file beside the database.
Set( $MailCommand, 'mbox' );
Set( $LogToSyslog, undef );
Set( $LogToSTDERR, 'warning' );

1;
