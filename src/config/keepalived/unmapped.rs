//! What has no equivalent, and why; and what needs none.

use super::note::Notes;
use super::tree::Statement;

/// Blocks and keywords outside of every block.
const ROOT: &[(&str, &str)] = &[
    (
        "virtual_server",
        "vrrpd has no virtual servers (IPVS) and checks no real servers: leave them to keepalived or to a load balancer",
    ),
    ("virtual_server_group", "vrrpd has no virtual servers (IPVS)"),
    ("SSL", "vrrpd has no virtual servers (IPVS)"),
    ("static_ipaddress", "addresses that do not move belong to the configuration of the network"),
    ("static_routes", "routes that do not move belong to the configuration of the network"),
    ("static_rules", "rules that do not move belong to the configuration of the network"),
    ("track_group", "vrrpd has no static addresses and routes to track: track the interface instead"),
    ("bfd_instance", "vrrpd does not speak BFD: a track with ping or arp looks at a neighbour"),
    ("garp_group", "announcements are not paced by interface: garp_interval of a router spaces them"),
    ("linkbeat_use_polling", "the kernel reports the state of links; nothing is polled"),
    ("linkbeat_interfaces", "the kernel reports the state of links; nothing is polled"),
    ("interface_up_down_delays", "a link that goes down counts at once; preempt_delay makes the way back slower"),
    ("net_namespace", "start vrrpd in the namespace: NetworkNamespacePath= in its unit"),
    ("net_namespace_ipvs", "vrrpd has no virtual servers (IPVS)"),
    ("instance", "several daemons are told apart by control_socket and state_directory"),
];

/// Blocks that are read elsewhere, and keywords that need no equivalent.
const ROOT_COVERED: &[&str] = &[
    "global_defs",
    "vrrp_script",
    "vrrp_track_process",
    "track_file",
    "vrrp_track_file",
    "vrrp_instance",
    "vrrp_sync_group",
    "use_pid_dir",
    "namespace_with_ipsets",
    "child_wait_time",
];

const MAIL: &str = "vrrpd sends no mail: a program in on_change can";
const SNMP: &str = "vrrpd has no SNMP and no D-Bus: vrrpctl status --json and the metrics say what they would";
const PACING: &str = "announcements are paced by garp_repeat, garp_interval and garp_refresh of each router";
const ELECTION: &str = "the election follows the RFC here, and nothing adjusts it";

const GLOBAL: &[(&str, &str)] = &[
    ("router_id", "it names the host in mails and SNMP only"),
    ("notification_email", MAIL),
    ("notification_email_from", MAIL),
    ("smtp_server", MAIL),
    ("smtp_helo_name", MAIL),
    ("smtp_connect_timeout", MAIL),
    ("smtp_alert", MAIL),
    ("smtp_alert_vrrp", MAIL),
    ("smtp_alert_checker", MAIL),
    ("email_faults", MAIL),
    ("no_email_faults", MAIL),
    ("enable_snmp_vrrp", SNMP),
    ("enable_snmp_rfc", SNMP),
    ("enable_snmp_rfcv2", SNMP),
    ("enable_snmp_rfcv3", SNMP),
    ("enable_traps", SNMP),
    ("snmp_socket", SNMP),
    ("enable_snmp_keepalived", SNMP),
    ("enable_snmp_checker", SNMP),
    ("enable_dbus", SNMP),
    ("dbus_service_name", SNMP),
    ("vrrp_mcast_group4", "the multicast group is the RFC's, 224.0.0.18"),
    ("vrrp_mcast_group6", "the multicast group is the RFC's, ff02::12"),
    ("vrrp_delay_after_boot", "there is only startup_delay, from the start of the daemon"),
    ("vrrp_garp_master_refresh_repeat", PACING),
    ("vrrp_garp_lower_prio_delay", PACING),
    ("vrrp_garp_lower_prio_repeat", PACING),
    ("vrrp_garp_interval", PACING),
    ("vrrp_gna_interval", PACING),
    ("vrrp_min_garp", PACING),
    ("vrrp_garp_extra_if", PACING),
    ("vrrp_vmac_garp_intvl", PACING),
    ("vrrp_down_timer_adverts", "the Master is down after three intervals and the skew time, as the RFC has it"),
    ("vrrp_lower_prio_no_advert", ELECTION),
    ("vrrp_higher_prio_send_advert", ELECTION),
    ("vrrp_owner_ignore_adverts", ELECTION),
    ("startup_script", "ExecStartPre= in the unit does this"),
    ("shutdown_script", "ExecStopPost= in the unit does this"),
    ("startup_script_timeout", "ExecStartPre= in the unit does this"),
    ("shutdown_script_timeout", "ExecStopPost= in the unit does this"),
    ("notify_fifo_script", "nothing starts the reader of the FIFO: make a unit of it"),
    ("vrrp_notify_fifo_script", "nothing starts the reader of the FIFO: make a unit of it"),
    ("lvs_notify_fifo", "vrrpd has no virtual servers (IPVS)"),
    ("lvs_notify_fifo_script", "vrrpd has no virtual servers (IPVS)"),
    ("vrrp_notify_priority_changes", "the FIFO carries every record anyway, of priorities too"),
    ("default_interface", "vrrpd has no static addresses"),
    ("vrrp_priority", "realtime_priority is what there is"),
    ("vrrp_cpu_affinity", "CPUAffinity= in the unit does this"),
    ("set_supplementary_groups", "programs always run with all groups of their user"),
    ("vmac_prefix", "interfaces for virtual MAC addresses have names of their own"),
    ("vmac_addr_prefix", "interfaces for virtual MAC addresses have names of their own"),
    ("use_symlink_paths", "paths are used as they are written"),
];

/// What vrrpd does anyway, or what only steers how keepalived works inside.
const GLOBAL_COVERED: &[&str] = &[
    "enable_script_security",
    "dynamic_interfaces",
    "vrrp_check_unicast_src",
    "vrrp_skip_check_adv_addr",
    "vrrp_no_swap",
    "vrrp_rlimit_rttime",
    "max_auto_priority",
    "min_auto_priority_delay",
    "vrrp_iptables",
    "vrrp_ipsets",
    "nftables",
    "nftables_priority",
    "nftables_counters",
    "nftables_ifindex",
    "process_names",
    "process_name",
    "vrrp_process_name",
    "bfd_process_name",
    "checker_process_name",
    "umask",
    "random_seed",
    "data_use_instance",
    "state_dump_file",
    "stats_dump_file",
    "json_dump_file",
    "json_version",
    "tmp_config_directory",
    "config_save_dir",
    "include_check",
    "iproute_usr_dir",
    "iproute_etc_dir",
    "reload_check_config",
    "reload_file",
    "reload_time_file",
    "reload_repeat",
    "log_unknown_vrids",
    "fifo_write_vrrp_states_on_reload",
    "vrrp_rx_bufs_policy",
    "vrrp_rx_bufs_multiplier",
    "vrrp_netlink_cmd_rcv_bufs",
    "vrrp_netlink_cmd_rcv_bufs_force",
    "vrrp_netlink_monitor_rcv_bufs",
    "vrrp_netlink_monitor_rcv_bufs_force",
    "process_monitor_rcv_bufs",
    "process_monitor_rcv_bufs_force",
    "disable_local_igmp",
    "lvs_sync_daemon",
    "lvs_flush",
    "child_wait_time",
    "checker_priority",
    "checker_rt_priority",
    "bfd_priority",
    "bfd_rt_priority",
    "use_pid_dir",
];

const INSTANCE: &[(&str, &str)] = &[
    ("virtual_routes", "write them as virtual_routes = [{ to = \"...\", via = \"...\" }] of the virtual router"),
    ("virtual_rules", "write them as virtual_rules = [{ from = \"...\", table = 100 }] of the virtual router"),
    ("track_bfd", "vrrpd does not speak BFD: a track with ping or arp looks at a neighbour"),
    ("smtp_alert", MAIL),
    ("notify_master_rx_lower_pri", "on_change reports every change, and a lower advert is none"),
    ("notify_deleted", "on_stop runs when a router leaves the configuration"),
    ("notify_priority_changes", "the FIFO carries every record anyway, of priorities too"),
    ("vrf", "vrrpd knows no VRF"),
    ("mcast_dst_ip", "the multicast group is the RFC's"),
    ("track_src_ip", "an address that is not there is what the router waits for anyway"),
    ("use_ipvlan", "there is no ipvlan: mac = \"virtual\" is the RFC's way"),
    ("use_vmac_addr", "excluded addresses stand on the router's own interface"),
    (
        "vmac_xmit_base",
        "adverts come from the virtual MAC address, as the RFC has it; a keepalived peer with vmac_xmit_base does not hear them: take it out there first",
    ),
    ("garp_master_refresh_repeat", PACING),
    ("garp_lower_prio_delay", PACING),
    ("garp_lower_prio_repeat", PACING),
    ("garp_extra_if", PACING),
    ("garp_interval", PACING),
    ("gna_interval", PACING),
    ("lower_prio_no_advert", ELECTION),
    ("higher_prio_send_advert", ELECTION),
    ("owner_ignore_adverts", ELECTION),
    ("timer_expired_backup", ELECTION),
    ("thread_timer_expired", ELECTION),
    ("down_timer_adverts", "the Master is down after three intervals and the skew time, as the RFC has it"),
    ("promote_secondaries", "addresses are put back when the kernel drops them, whatever this setting is"),
    ("sync_group_tracking_weight", "weights of a group's members always count"),
];

/// What vrrpd does anyway, or what only steers how keepalived works inside.
const INSTANCE_COVERED: &[&str] = &[
    "check_unicast_src",
    "skip_check_adv_addr",
    "unicast_fault_no_peer",
    "old_unicast_checksum",
    "kernel_rx_buf_size",
    "linkbeat_use_polling",
    "debug",
    "lvs_sync_daemon_interface",
    "lvs_sync_daemon",
    "no_virtual_ipaddress",
    "preempt",
    "global_tracking",
];

/// Says what becomes of a statement outside of every block.
pub(super) fn root(statement: &Statement, notes: &mut Notes) {
    say(statement, ROOT, ROOT_COVERED, notes);
}

/// Says what becomes of a statement of `global_defs` that means nothing here.
pub(super) fn global(statement: &Statement, notes: &mut Notes) {
    say(statement, GLOBAL, GLOBAL_COVERED, notes);
}

/// Says what becomes of a statement of an instance or group that means nothing here.
pub(super) fn instance(statement: &Statement, notes: &mut Notes) {
    say(statement, INSTANCE, INSTANCE_COVERED, notes);
}

fn say(statement: &Statement, unmapped: &[(&str, &str)], covered: &[&str], notes: &mut Notes) {
    let keyword = statement.keyword();
    if let Some((_, why)) = unmapped.iter().find(|(known, _)| *known == keyword) {
        notes.unmapped(&statement.place, format!("{keyword}: {why}"));
    } else if !covered.contains(&keyword) {
        notes.unmapped(&statement.place, format!("{keyword}: this import does not know the word"));
    }
}
