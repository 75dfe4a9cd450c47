# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_vrrpctl_global_optspecs
    string join \n socket= h/help V/version
end

function __fish_vrrpctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_vrrpctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_vrrpctl_using_subcommand
    set -l cmd (__fish_vrrpctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -s h -l help -d 'Print help'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -s V -l version -d 'Print version'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "status" -d 'Show the state of everything, and for each router that is not Master: why not'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "events" -d 'Show the history: every change with its reason'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "explain" -d 'Explain one virtual router in words: its state, why, and what would have to change for it to become Master'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "drain" -d 'Hand over and stay Backup, for maintenance: over reloads and restarts, until undrained or time is up'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "undrain" -d 'Stand in the election again'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "watch" -d 'Watch everything live in the terminal: routers, tracks, and the time line of the last changes'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "reload" -d 'Load the configuration anew; if the file is refused, the running one stays'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "upgrade" -d 'Run the vrrpd that is installed now in the place of the running one, without a gap'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "import-keepalived" -d 'Print a configuration of keepalived\'s as one of vrrpd\'s, with what cannot be carried over'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "simulate" -d 'Try configurations out together before they run: who would be Master when, and when nobody or two would'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "log-level" -d 'Log more or less from now on, until the next start'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "generate" -d 'Print a completion script or the manual page'
complete -c vrrpctl -n "__fish_vrrpctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand status" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand status" -l json -d 'As JSON (schema 1)'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand status" -l check -d 'Exit with 1 unless every router is Master or a Backup that could take over'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand events" -l since -d 'Only records after number N' -r
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand events" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand events" -s f -l follow -d 'Go on with each new record as it comes'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand events" -l json -d 'As JSON, one record a line'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand events" -s h -l help -d 'Print help'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand explain" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand explain" -s h -l help -d 'Print help'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand drain" -l for -d 'Undrain by itself after this time, "30m" say' -r
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand drain" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand drain" -l force -d 'Stay Backup even if nobody takes over: nobody holds the addresses then'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand drain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand undrain" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand undrain" -s h -l help -d 'Print help'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand watch" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand watch" -s h -l help -d 'Print help'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand reload" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand reload" -l dry-run -d 'Only say what would change'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand reload" -s h -l help -d 'Print help'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand upgrade" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand upgrade" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand import-keepalived" -l config-id -d 'Take the lines for this config id (`@ID`), as keepalived\'s option of that name does [default: the host\'s name]' -r
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand import-keepalived" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand import-keepalived" -l strict -d 'Exit with 1 too when anything is not carried over'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand import-keepalived" -s h -l help -d 'Print help'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand simulate" -l event -d 'What happens: "5s crash a", restart, freeze, thaw, cut, mend, drain or undrain; "9s fail nginx on b" or heal; "12s cut a->b" or mend for one direction. May be given several times' -r
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand simulate" -l assert -d 'What has to hold: "one master within 4s" (of the start and of every event), "never two masters", "never two masters longer than 1s", "master a at 12s", "master a of web at 12s". May be given several times' -r
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand simulate" -l loss -d 'How many adverts the network loses, "2%" say' -r
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand simulate" -l for -d 'How long it lasts' -r
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand simulate" -l seed -d 'Which chances it takes, in delays and losses: the same seed is the same run' -r
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand simulate" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand log-level" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand log-level" -s h -l help -d 'Print help'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand generate" -l socket -d 'Which daemon to talk to' -r -F
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand generate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "status" -d 'Show the state of everything, and for each router that is not Master: why not'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "events" -d 'Show the history: every change with its reason'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "explain" -d 'Explain one virtual router in words: its state, why, and what would have to change for it to become Master'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "drain" -d 'Hand over and stay Backup, for maintenance: over reloads and restarts, until undrained or time is up'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "undrain" -d 'Stand in the election again'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "watch" -d 'Watch everything live in the terminal: routers, tracks, and the time line of the last changes'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "reload" -d 'Load the configuration anew; if the file is refused, the running one stays'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "upgrade" -d 'Run the vrrpd that is installed now in the place of the running one, without a gap'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "import-keepalived" -d 'Print a configuration of keepalived\'s as one of vrrpd\'s, with what cannot be carried over'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "simulate" -d 'Try configurations out together before they run: who would be Master when, and when nobody or two would'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "log-level" -d 'Log more or less from now on, until the next start'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "generate" -d 'Print a completion script or the manual page'
complete -c vrrpctl -n "__fish_vrrpctl_using_subcommand help; and not __fish_seen_subcommand_from status events explain drain undrain watch reload upgrade import-keepalived simulate log-level generate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
