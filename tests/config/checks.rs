//! One row for each way to go wrong: a line, and the message that it gets.

use crate::{messages, router_with, track_with};

#[test]
fn routers() {
    for (line, message) in [
        ("advert_interval = \"15ms\"", "advert_interval must be 10ms to 40.95s in steps of 10ms"),
        ("advert_interval = \"41s\"", "advert_interval must be 10ms to 40.95s in steps of 10ms"),
        ("advert_interval = \"0s\"", "advert_interval must be 10ms to 40.95s in steps of 10ms"),
        (
            "version = 2\nadvert_interval = \"100ms\"",
            "advert_interval must be 1s to 255s in whole seconds with version 2",
        ),
        (
            "version = 2\nadvert_interval = \"256s\"",
            "advert_interval must be 1s to 255s in whole seconds with version 2",
        ),
        ("advert_interval = 1", "advert_interval needs a unit: 1 could be seconds or milliseconds"),
        ("advert_interval = \"1\"", "advert_interval needs a unit: \"1\" could be seconds or milliseconds"),
        ("advert_interval = \"soon\"", "advert_interval must be a duration"),
        ("advert_interval = 1.5", "advert_interval must be a string, not a fraction"),
        ("version = 4", "version must be 2 to 3"),
        ("preempt = \"yes\"", "preempt must be true or false, not a string"),
        ("preempt_delay = true", "preempt_delay must be a string, not a boolean"),
        ("accept = 1", "accept must be true or false, not a number"),
        ("mac = \"virtul\"", "mac must be \"interface\" or \"virtual\""),
        ("checksum = \"none\"", "checksum must be \"auto\", \"rfc9568\" or \"rfc5798\""),
        ("excluded_addresses = [\"192.0.2.10/24\"]", "address 192.0.2.10 is listed twice"),
        ("excluded_addresses = \"192.0.2.11/24\"", "excluded_addresses must be a list, not a string"),
        ("excluded_addresses = [\"224.0.0.18\"]", "excluded_addresses has 224.0.0.18, which no host can hold"),
        (
            "excluded_addresses = [\"192.0.2.255/24\"]",
            "excluded_addresses has 192.0.2.255/24, the broadcast address of its subnet",
        ),
        ("unicast_peers = [\"peer.example\"]", "unicast_peers must be an IP address, not a name"),
        ("unicast_peers = [\"192.0.2.2/24\"]", "unicast_peers takes an address without a prefix length"),
        ("source_address = \"fe80::1\"", "source_address fe80::1 is not of the router's family, ipv4"),
        ("garp_repeat = 0", "garp_repeat must be 1 to 255"),
        ("garp_refresh = \"1ms\"", "garp_refresh must be at least 1s, or \"0s\" for never"),
        ("garp_interval = 1", "garp_interval needs a unit: 1 could be seconds or milliseconds"),
        ("lease = \"1s\"", "lease must be true or false, not a string"),
        ("track_interface = 0", "track_interface must be true or false, not a number"),
        ("check_ttl = false", "check_ttl = false is for unicast_peers only"),
        ("promote_only_with = [\"x\"]", "there is no track x"),
        ("track = [\"x\"]", "track must be a table, not a list"),
        ("track = { x = 2 }", "there is no track x"),
        ("notify = \"/x\"", "notify must be a table, not a string"),
        ("authentication = \"x\"", "authentication must be a table, not a string"),
        ("version = 2\nauthentication = { type = \"ah\" }", "authentication needs secret or secret_file"),
        ("version = 2\nauthentication = { secret = \"x\" }", "authentication needs type"),
        (
            "version = 2\nauthentication = { type = \"ah\", secret = \"x\", secret_file = \"/x\" }",
            "authentication has both secret and secret_file",
        ),
        (
            "version = 2\nauthentication = { type = \"ah\", secret = \"123456789\" }",
            "the secret has 9 octets, and VRRPv2 carries 1 to 8",
        ),
        (
            "version = 2\nauthentication = { type = \"ah\", secret = \"x\", flavour = \"rfc2402\" }",
            "the secret has 1 octets, and RFC 2403 takes keys of 16",
        ),
        (
            "version = 2\nauthentication = { type = \"password\", secret = \"x\", flavour = \"keepalived\" }",
            "flavour means nothing to this type",
        ),
        (
            "version = 2\nauthentication = { type = \"ah\", secret = \"x\", key_id = 1 }",
            "key_id means nothing to this type",
        ),
        ("advert_int = 1", "unknown key advert_int in virtual_router"),
    ] {
        let found = messages(&router_with(line));
        assert!(found.iter().any(|found| found == message), "{line}: {found:#?}");
    }
}

#[test]
fn tracks() {
    for (lines, message) in [
        ("", "track needs a kind of check"),
        (
            "ping = \"192.0.2.1\"\nroute = \"0.0.0.0/0\"",
            "a track has exactly one kind of check, and this one has ping and route",
        ),
        ("script = \"/bin/x y\"", "script must be a list: the program and each argument for itself"),
        ("script = []", "script is empty"),
        ("script = [\"x\"]", "script must begin with the absolute path of a program"),
        ("script = [\"/bin/x\", 1]", "script must be a list of strings, not a number"),
        ("http = \"127.0.0.1\"", "http must begin with http:// or https://"),
        ("http = \"http://x/\"\nstatus = 99", "status must be 100 to 599"),
        ("http = \"http://x/\"\nbody = \"\"", "body must not be empty"),
        ("http = \"http://x/\"\nhost = 1", "host must be a string, not a number"),
        ("http = \"http://x/\"\ninsecure = 1", "insecure must be true or false, not a number"),
        ("tcp = \"localhost:80\"", "tcp must be an address and a port, not a name"),
        ("tcp = \"127.0.0.1\"", "tcp must be an IP address and a port"),
        ("tcp = \"127.0.0.1:0\"", "tcp must be an IP address and a port"),
        ("ping = \"gateway\"", "ping must be an IP address, not a name"),
        ("arp = \"fe80::1\"", "arp must be an IPv4 address"),
        ("interface = \"a/b\"", "interface is not a name that the kernel takes for an interface"),
        (
            "process = \"a-name-longer-than-the-kernel-keeps\"",
            "process must be a name of at most 15 octets, or the absolute path of a pid file",
        ),
        ("file = \"x\"", "file must be an absolute path"),
        (
            "route = \"0.0.0.0/33\"",
            "route must be a destination with its prefix length, such as \"0.0.0.0/0\" or \"10.0.0.0/8\"",
        ),
        ("ping = \"192.0.2.1\"\nuser = \"x\"", "user means nothing to a ping track"),
        ("ping = \"192.0.2.1\"\nsend = \"x\"", "send means nothing to a ping track"),
        ("ping = \"192.0.2.1\"\nexpect = \"x\"", "expect means nothing to a ping track"),
        ("ping = \"192.0.2.1\"\narp_interface = \"x\"", "arp_interface means nothing to a ping track"),
        ("ping = \"192.0.2.1\"\ninterval = \"1ms\"", "interval must be at least 10ms"),
        ("ping = \"192.0.2.1\"\ntimeout = \"0s\"", "timeout must be at least 1ms"),
        ("ping = \"192.0.2.1\"\nfall = 0", "fall must be 1 to 255"),
        ("ping = \"192.0.2.1\"\nrise = 256", "rise must be 1 to 255"),
        ("ping = \"192.0.2.1\"\nassume = \"good\"", "assume must be \"healthy\" or \"failed\""),
        ("ping = \"192.0.2.1\"\nweight = 2", "unknown key weight in track"),
    ] {
        let found = messages(&track_with(lines));
        assert!(found.iter().any(|found| found == message), "{lines}: {found:#?}");
    }
}

#[test]
fn attachments() {
    let weight = "the weight of track it must be \"required\" or a number from -253 to 253, not 0";
    for (attached, message) in [
        ("0", weight),
        ("254", weight),
        ("\"requird\"", weight),
        ("{ weight = 0 }", weight),
        ("{}", "track it has no weight"),
        ("{ required = true, weight = 2 }", "track it is required and has a weight too"),
        ("{ weight = 2, revers = true }", "unknown key revers in track attachment"),
        ("{ weight = 2, reverse = 1 }", "reverse must be true or false, not a number"),
    ] {
        let text = track_with("ping = \"192.0.2.1\"").replace("-20", attached);
        let found = messages(&text);
        assert!(found.iter().any(|found| found == message), "{attached}: {found:#?}");
    }
}

#[test]
fn daemon_and_notify() {
    for (text, message) in [
        ("daemon = 1", "daemon must be a table, not a number"),
        ("[daemon]\ncontrol_socket = \"x\"", "control_socket must be an absolute path"),
        ("[daemon]\ncontrol_group = 0", "control_group must be a string, not a number"),
        ("[daemon]\nscript_user = \"\"", "script_user must not be empty"),
        ("[daemon]\nrealtime_priority = 0", "realtime_priority must be 1 to 99"),
        (
            "[daemon]\nlog_level = \"warning\"",
            "log_level must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        ),
        ("[daemon]\nlog_format = \"xml\"", "log_format must be \"text\" or \"json\""),
        ("[daemon]\nstartup_delay = 1", "startup_delay needs a unit: 1 could be seconds or milliseconds"),
        ("[daemon]\nstate_directory = \"state\"", "state_directory must be an absolute path"),
        ("[notify]\non_master = \"/x\"", "on_master must be a list: the program and each argument for itself"),
        ("[notify]\non_backup = [\"x\"]", "on_backup must begin with the absolute path of a program"),
        ("[notify]\non_fault = []", "on_fault is empty"),
        ("[notify]\non_stop = 1", "on_stop must be a list, not a number"),
        ("[notify]\non_change = [1]", "on_change must be a list of strings, not a number"),
        ("[notify]\nfifo = \"x\"", "fifo must be an absolute path"),
        ("[virtual_router.a.notify]\nfifo = \"/x\"", "fifo stands in [notify] only"),
        ("[notify]\nuser = 1", "user must be a string, not a number"),
        ("[notify]\ntimeout = \"0s\"", "timeout must be at least 1ms"),
        ("[notify]\nkeepalived_arguments = 1", "keepalived_arguments must be true or false, not a number"),
        ("track = 1", "track must be tables, not a number"),
        ("[virtual_router.\"a b\"]", "virtual_router has a name that command lines and metrics cannot carry"),
        ("[sync_group.a]\nmembers = \"web\"", "members must be a list, not a string"),
        ("[sync_group.a]\nmembrs = []", "unknown key membrs in sync_group"),
        ("[virtual_routers.a]", "unknown key virtual_routers in the file"),
        ("include = \"x\"", "include must be a list, not a string"),
    ] {
        let found = messages(text);
        assert!(found.iter().any(|found| found == message), "{text}: {found:#?}");
    }
}

#[test]
fn the_required_keys_of_a_router() {
    let found = messages("[virtual_router.web]\n");
    for key in ["interface", "virtual_router_id", "virtual_addresses"] {
        assert!(found.contains(&format!("virtual_router needs {key}")), "{found:#?}");
    }
    assert!(messages("[sync_group.a]\n").contains(&"sync_group needs members".to_owned()));
}

#[test]
fn a_good_pair_has_nothing_to_say() {
    let text = format!("[track.nginx]\nhttp = \"http://127.0.0.1/\"\n{}", router_with("track = { nginx = -20 }"));
    assert_eq!(messages(&text), Vec::<String>::new());
}

#[test]
fn a_secret_with_a_zero_octet_says_what_is_wrong() {
    for (kind, secret) in [("password", "a\\u0000b"), ("ah", "\\u0000")] {
        let authentication = format!("version = 2\nauthentication = {{ type = \"{kind}\", secret = \"{secret}\" }}");
        let found = messages(&router_with(&authentication));
        assert_eq!(
            found.first().map(String::as_str),
            Some("secret must not contain the character U+0000"),
            "{found:?}"
        );
    }
}
