# Plays systemd for the test of the hand-over: listens on a port, never accepts, and keeps one process running with that
# socket as its descriptor 3, as sd_listen_fds(3) has it. Prints the number of each process that it starts.
use strict;
use warnings;
use POSIX ();
use Socket;

$^F = 9;    # what is opened from here on goes on to the process
$| = 1;
my ( $port, @argv ) = @ARGV;
socket( my $socket, PF_INET, SOCK_STREAM, 0 ) or die $!;
setsockopt( $socket, SOL_SOCKET, SO_REUSEADDR, 1 );
bind( $socket, sockaddr_in( $port, inet_aton('127.0.0.1') ) ) or die $!;
listen( $socket, 512 ) or die $!;
POSIX::dup2( fileno($socket), 3 ) if fileno($socket) != 3;
my $child = 0;
my $over  = 0;
$SIG{TERM} = sub { $over = 1; kill 'KILL', $child if $child };
while ( !$over ) {
    $child = fork() // die $!;
    if ( $child == 0 ) {
        @ENV{qw(LISTEN_FDS LISTEN_FDNAMES LISTEN_PID)} = ( 1, 'policy', $$ );
        exec(@argv) or die $!;
    }
    print "holder: $child\n";
    waitpid( $child, 0 );
}
