//! The conformance suite against our daemon, each scenario a test; timers may be late here, as the machine is busy with other tests.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use netns_tests::Implementation;
use netns_tests::conformance::{EXCEPTIONS, Finding, Tolerance, requirements, scenarios};

macro_rules! scenarios_as_tests {
    ($($name:ident),* $(,)?) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { run(stringify!($name)); })*
    };
}

scenarios_as_tests!(
    adverts_over_ipv4,
    adverts_over_ipv6,
    intervals_of_owners,
    only_the_active_speaks,
    families_are_independent,
    the_other_checksum,
    adverts_are_never_forwarded,
    what_a_configuration_may_say,
    defaults,
    a_password_for_each_router,
    different_address_lists,
    a_flood_of_junk,
    any_source_mac,
    the_other_interface,
    own_adverts_reflected,
    order_is_no_error,
    version_2_beside_version_3,
    what_is_told,
    vectors_of_version_2,
    vectors_of_version_3_over_ipv4,
    vectors_of_version_3_over_ipv6,
    silence_and_resignation,
    down_interval_after_the_start,
    version_2_does_not_learn,
    ten_milliseconds,
    who_resets_the_timer,
    a_backup_is_not_there,
    initialize,
    a_priority_that_changes,
    clocks_and_pauses,
    a_preempt_delay,
    a_master_answers,
    a_master_gives_way,
    ties_over_ipv6,
    version_2_lower_adverts,
    many_transitions,
    a_master_is_there,
    flapping_is_told,
    two_owners,
    an_owner_returns,
    an_owner_without_other_addresses,
    three_backups,
    gratuitous_arp,
    how_often_is_configurable,
    neighbour_advertisements,
    caches_follow_a_takeover,
    an_address_more,
    unsolicited_advertisements_are_taken,
    tshark_and_scapy_agree,
    the_virtual_mac_speaks,
    the_virtual_mac_answers,
    clients_see_no_change,
    accept_mode_off,
);

fn run(name: &str) {
    let scenario = scenarios().into_iter().find(|scenario| scenario.name == name).unwrap();
    if !scenario.applies_to(Implementation::Vrrpd) {
        println!("{name} waits for a feature");
        return;
    }
    let findings = scenario.run(Implementation::Vrrpd, Tolerance::Loose);
    let failed: Vec<&Finding> = findings.iter().filter(|finding| finding.outcome.is_err()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_scenario_is_a_test() {
    let all: Vec<&str> = scenarios().iter().map(|scenario| scenario.name).collect();
    assert_eq!(NAMES, all);
}

#[test]
fn every_requirement_is_tested_or_says_why_not() {
    let ids: BTreeSet<&str> = requirements().iter().map(|requirement| requirement.id).collect();
    let tested: BTreeSet<&str> = scenarios().iter().flat_map(|scenario| scenario.covers).copied().collect();
    let excepted: BTreeSet<&str> = EXCEPTIONS.iter().map(|exception| exception.id).collect();
    assert_eq!(ids.len(), 166);
    assert!(tested.is_disjoint(&excepted), "{:?}", tested.intersection(&excepted));
    assert_eq!(tested.union(&excepted).copied().collect::<BTreeSet<_>>(), ids);
    assert!(tested.len() >= 150, "{} are tested", tested.len());
}
