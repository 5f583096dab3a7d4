# The example's own settings: database, sessions, mail. Those for work behind Deskgate are in RT_SiteConfig.d. Nothing here
# or below touches RT's own files in /etc and /var.

my $data = $ENV{DESK_DATA};                  # the folder of this RT: database, sessions, caches

Set( $rtname,       'desk.example' );
Set( $Organization, 'desk.example' );
Set( $Timezone,     'UTC' );

Set( $DatabaseType, 'SQLite' );
Set( $DatabaseName, "$data/rt5.sqlite3" );
$RT::VarPath         = $data;
$RT::MasonDataDir    = "$data/mason";
$RT::MasonSessionDir = "$data/sessions";
$RT::MasonLocalComponentRoot = $ENV{RT_LOCAL_HTML};

# Mail goes into a file beside the database.
Set( $MailCommand, 'mbox' );
Set( $LogToSyslog, undef );
Set( $LogToSTDERR, 'warning' );

1;
