//! Every key of the configuration, once: the reader knows no other, and the manual page is checked against this.

/// One kind of table.
#[derive(Debug)]
pub struct Section {
    /// What it is called in messages, and in the manual page.
    pub title: &'static str,
    /// Its keys with what each of them takes, which is the help line when something else was written.
    pub keys: &'static [(&'static str, &'static str)],
}

const DURATION: &str = "a duration is a string with a unit: ms, s, m or h";
const ARGV: &str =
    "a program's absolute path and its arguments, as a list: [\"/etc/vrrpd/check\", \"arg\"]; no shell takes part";
const TRACK_LIST: &str = "name each track with \"required\" or a weight: { nginx = \"required\", gateway = -20 }";
const USER: &str = "the name of a user of this host";

/// The top of a file.
pub const TOP: Section = Section {
    title: "the file",
    keys: &[
        ("include", "a list of patterns, relative to this file: [\"conf.d/*.toml\"]"),
        ("daemon", "settings of the daemon itself: [daemon]"),
        ("track", "each track is a table of its own: [track.NAME]"),
        ("virtual_router", "each virtual router is a table of its own: [virtual_router.NAME]"),
        ("sync_group", "each sync group is a table of its own: [sync_group.NAME]"),
        ("notify", "what runs for every router and group: [notify]"),
    ],
};

/// `[daemon]`.
pub const DAEMON: Section = Section {
    title: "daemon",
    keys: &[
        ("control_socket", "the absolute path of the socket that vrrpctl uses"),
        ("control_group", "the name of the group that may use vrrpctl besides root"),
        ("script_user", USER),
        ("realtime_priority", "leave it out for ordinary scheduling"),
        ("log_level", "each level includes those before it: error, warn, info, debug, trace"),
        ("log_format", "text for people, json for programs"),
        ("startup_delay", DURATION),
        ("state_directory", "the absolute path of a directory that outlives a reboot"),
    ],
};

/// `[track.NAME]`.
pub const TRACK: Section = Section {
    title: "track",
    keys: &[
        ("script", ARGV),
        ("http", "a URL: \"http://127.0.0.1:80/healthz\""),
        ("tcp", "an address and a port: \"127.0.0.1:6379\" or \"[::1]:6379\""),
        ("ping", "an IP address: \"192.168.100.254\""),
        ("arp", "an IPv4 address: \"192.168.100.254\""),
        ("interface", "the name of an interface: \"eth1\""),
        ("process", "a process name as in /proc/PID/comm, or the absolute path of a pid file"),
        ("file", "the absolute path of a file that contains an integer"),
        ("route", "a destination: \"0.0.0.0/0\""),
        ("user", USER),
        ("status", "the HTTP status that is healthy: 200"),
        ("body", "a text that the body of the answer must contain"),
        ("host", "the Host header to send instead of the URL's"),
        ("insecure", "true takes any certificate"),
        ("send", "what to send after connecting: \"PING\\r\\n\""),
        ("expect", "what the answer must begin with: \"+PONG\""),
        ("arp_interface", "the interface to ask on; left out, that of the first router that uses the track"),
        ("interval", DURATION),
        ("timeout", DURATION),
        ("fall", "failures in a row that turn it down"),
        ("rise", "successes in a row that bring it back"),
        ("assume", "what it counts as before its first answer: \"healthy\" or \"failed\""),
    ],
};

/// `[virtual_router.NAME]`.
pub const VIRTUAL_ROUTER: Section = Section {
    title: "virtual_router",
    keys: &[
        ("interface", "the interface that adverts are sent and heard on: \"eth0\""),
        (
            "virtual_router_id",
            "keepalived calls this virtual_router_id too; it must be the same on every host of the pair",
        ),
        ("priority", "the host with the highest priority is Master; 255 is for the owner of the addresses"),
        (
            "virtual_addresses",
            "a list of addresses of one family, each with its prefix length: [\"192.168.100.10/24\"]",
        ),
        ("excluded_addresses", "a list of addresses of any family: [\"192.168.101.10/24\", \"2001:db8::10/64\"]"),
        (
            "virtual_routes",
            "a list of routes held with the router: [{ to = \"10.0.0.0/8\", via = \"192.168.1.254\", table = 100 }]",
        ),
        ("virtual_rules", "a list of routing rules held with the router: [{ from = \"10.0.0.0/8\", table = 100 }]"),
        ("version", "3 is VRRPv3 (RFC 9568), 2 is VRRPv2 (RFC 3768, IPv4 only)"),
        (
            "advert_interval",
            "version 3 takes \"10ms\" to \"40.95s\" in steps of 10ms, version 2 whole seconds to \"255s\"",
        ),
        ("preempt", "whether this router displaces a Master of lower priority: true or false"),
        ("preempt_delay", DURATION),
        ("accept", "whether a Master answers on virtual addresses that it does not own: true or false"),
        ("mac", "the MAC address that stands for the virtual addresses"),
        ("checksum", "what the checksum of IPv4 VRRPv3 covers when sending; reception takes either form"),
        ("unicast_peers", "a list of the other hosts' addresses: [\"192.168.100.2\"]"),
        ("check_ttl", "false only for unicast peers behind a router"),
        ("source_address", "an address of this host: \"192.168.100.1\""),
        (
            "authentication",
            "{ type = \"password\", secret = \"...\" } or { type = \"ah\", secret_file = \"/etc/vrrpd/key\" }",
        ),
        ("promote_only_with", "a list of track names: [\"gateway\"]"),
        ("track", TRACK_LIST),
        ("track_interface", "whether the loss of the interface makes the router FAULT: true or false"),
        ("garp_repeat", "announcements per address on taking over"),
        ("garp_interval", DURATION),
        ("garp_refresh", "how often a Master announces its addresses; \"0s\" is never"),
        ("lease", "whether the addresses carry a lifetime in the kernel: true or false"),
        ("notify", "what runs when this router changes: [virtual_router.NAME.notify]"),
    ],
};

/// `authentication = { ... }`.
pub const AUTHENTICATION: Section = Section {
    title: "authentication",
    keys: &[
        ("type", "password is RFC 2338's simple text, ah its Authentication Header, hmac keepalived's trailer"),
        ("secret", "the shared secret as text"),
        ("secret_file", "the absolute path of a file that contains the secret and that only its owner may read"),
        ("flavour", "keepalived for peers in the field; rfc2402 takes a key of 16 octets"),
        ("key_id", "of hmac: the number of the key to sign with, 0 to 255"),
        (
            "keys",
            "of hmac: a list of the keys to believe, so that they can be changed: [{ id = 1, secret_file = \"...\" }]",
        ),
        ("mode", "of hmac: receive-only signs nothing, permissive takes unsigned adverts too, enforce is the default"),
        ("window", "of hmac: how far the clocks of the hosts may be apart, 1s to 300s"),
    ],
};

/// A table in the list `keys` of `authentication`.
pub const HMAC_KEY: Section = Section {
    title: "keys",
    keys: &[
        ("id", "the number of the key, 0 to 255"),
        ("secret", "32 to 64 octets as text, or hex: and their hexadecimal digits"),
        ("secret_file", "the absolute path of a file that contains it and that only its owner may read"),
    ],
};

/// A table in the list `virtual_routes`.
pub const VIRTUAL_ROUTE: Section = Section {
    title: "virtual_routes",
    keys: &[
        ("to", "the destination with its prefix length: \"10.0.0.0/8\", or \"0.0.0.0/0\" for the default route"),
        ("via", "the next hop; without one the destination is on the device's link"),
        ("device", "the interface; where there is no next hop either, the router's own"),
        ("table", "the number of the routing table; 254 is the main one"),
        ("metric", "of several routes to one destination the one with the lowest metric is taken"),
        ("source", "the source address of this host's own packets by this route: a virtual address, say"),
    ],
};

/// A table in the list `virtual_rules`.
pub const VIRTUAL_RULE: Section = Section {
    title: "virtual_rules",
    keys: &[
        ("from", "where packets come from: \"10.0.0.0/8\""),
        ("to", "where packets go to: \"10.0.0.0/8\""),
        ("table", "the number of the routing table to look in"),
        ("priority", "rules are looked at in the order of their numbers, 1 to 32765"),
    ],
};

/// `[sync_group.NAME]`.
pub const SYNC_GROUP: Section = Section {
    title: "sync_group",
    keys: &[
        ("members", "a list of virtual router names: [\"web\", \"web6\"]"),
        ("priority", "the one priority of all members; 255 is for the owner of the addresses"),
        ("track", TRACK_LIST),
        ("promote_only_with", "a list of track names: [\"gateway\"]"),
        ("notify", "what runs when this group changes: [sync_group.NAME.notify]"),
    ],
};

/// `[notify]`, and the same under a router or a group.
pub const NOTIFY: Section = Section {
    title: "notify",
    keys: &[
        ("on_master", ARGV),
        ("on_backup", ARGV),
        ("on_fault", ARGV),
        ("on_stop", ARGV),
        ("on_change", ARGV),
        ("user", USER),
        ("timeout", DURATION),
        ("fifo", "the absolute path of a FIFO that carries every change as a line of JSON; in [notify] only"),
        ("keepalived_arguments", "true appends keepalived's four arguments (INSTANCE or GROUP, name, state, priority)"),
    ],
};

/// The table form of an attachment: `track = { nginx = { weight = -20, reverse = true } }`.
pub const ATTACHMENT: Section = Section {
    title: "track attachment",
    keys: &[
        ("weight", "-253 to 253, not 0: added while failing where negative, while healthy where positive"),
        ("required", "true: a failure makes it FAULT"),
        ("reverse", "true: health and failure change places"),
    ],
};

/// All kinds of tables.
pub const SECTIONS: &[&Section] = &[
    &TOP,
    &DAEMON,
    &TRACK,
    &VIRTUAL_ROUTER,
    &VIRTUAL_ROUTE,
    &VIRTUAL_RULE,
    &AUTHENTICATION,
    &HMAC_KEY,
    &SYNC_GROUP,
    &NOTIFY,
    &ATTACHMENT,
];

/// What keepalived's users would write, and what it is called here.
pub(super) const KEEPALIVED_NAMES: &[(&str, &str)] = &[
    ("state", "the election decides who is Master: there is no initial state, priority is what counts"),
    ("advert_int", "this is advert_interval here, a string with a unit: \"1s\""),
    ("nopreempt", "write preempt = false"),
    ("virtual_ipaddress", "this is virtual_addresses here, a list: [\"192.168.100.10/24\"]"),
    ("virtual_ipaddress_excluded", "this is excluded_addresses here, a list"),
    ("unicast_peer", "this is unicast_peers here, a list: [\"192.168.100.2\"]"),
    ("unicast_src_ip", "this is source_address here"),
    ("mcast_src_ip", "this is source_address here"),
    ("auth_type", "write authentication = { type = \"password\", secret = \"...\" }"),
    ("auth_pass", "write authentication = { type = \"password\", secret = \"...\" }"),
    ("track_script", "write track = { NAME = \"required\" } with a [track.NAME]"),
    ("track_process", "write track = { NAME = \"required\" } with a [track.NAME]"),
    ("track_file", "write track = { NAME = 1 } with a [track.NAME]"),
    ("use_vmac", "this is mac = \"virtual\" here"),
    ("dont_track_primary", "write track_interface = false"),
    ("garp_master_repeat", "this is garp_repeat here"),
    ("garp_master_refresh", "this is garp_refresh here"),
    ("garp_master_delay", "announcements are garp_interval apart here"),
    ("notify_master", "this is on_master in [virtual_router.NAME.notify]"),
    ("notify_backup", "this is on_backup in [virtual_router.NAME.notify]"),
    ("notify_fault", "this is on_fault in [virtual_router.NAME.notify]"),
    ("notify_stop", "this is on_stop in [virtual_router.NAME.notify]"),
    ("weight", "the weight stands with who uses the track: track = { NAME = -20 } in the virtual router or its group"),
    ("group", "this is members here, a list"),
];
