//! The table of roles keeps its order, and its exceptions hold.

use std::collections::HashSet;

use super::*;

#[test]
fn what_a_staff_role_may_every_higher_one_may_too() {
    for (resource, verb, roles) in TABLE {
        let ranks: Vec<usize> = roles.iter().filter_map(|role| role.rank()).collect();
        assert_eq!(
            ranks,
            (0..ranks.len()).collect::<Vec<_>>(),
            "{verb:?} {resource:?}"
        );
    }
}

#[test]
fn no_line_stands_twice_and_none_is_empty() {
    let mut seen = HashSet::new();
    for (resource, verb, roles) in TABLE {
        assert!(seen.insert((resource, verb)), "{verb:?} {resource:?}");
        assert!(!roles.is_empty());
        assert_eq!(roles.iter().collect::<HashSet<_>>().len(), roles.len());
    }
}

#[test]
fn names_round_trip() {
    for role in Role::ALL {
        assert_eq!(Role::parse(role.as_str()), Some(*role));
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
    }
    assert_eq!(Role::ALL.len(), 9);
    for bad in ["", "Admin", "root", "read-only", "admin "] {
        assert_eq!(Role::parse(bad), None);
    }
    for profile in [Profile::Scanner, Profile::Kiosk, Profile::Viewer] {
        assert_eq!(Profile::parse(profile.as_str()), Some(profile));
    }
}

#[test]
fn what_nobody_named_nobody_may() {
    assert!(allowed(Verb::Delete, Resource::CheckIn).is_empty());
    assert!(allowed(Verb::Write, Resource::Dashboard).is_empty());
    assert!(
        Role::ALL
            .iter()
            .all(|role| !may(*role, Verb::Delete, Resource::Tenant))
    );
}

#[test]
fn only_the_system_writes_the_log() {
    assert_eq!(allowed(Verb::Write, Resource::ScanLog), [Role::System]);
    let others = TABLE
        .iter()
        .filter(|(resource, _, _)| *resource != Resource::ScanLog);
    assert!(
        others
            .flat_map(|(_, _, roles)| roles.iter())
            .all(|role| *role != Role::System)
    );
}

#[test]
fn an_anonymous_guest_scans_and_takes_the_sealed_list_and_nothing_else() {
    let deeds: Vec<_> = TABLE
        .iter()
        .filter(|(_, _, roles)| roles.contains(&Role::Anonymous))
        .collect();
    assert_eq!(deeds.len(), 2);
    assert!(may(Role::Anonymous, Verb::Scan, Resource::CheckIn));
    assert!(may(Role::Anonymous, Verb::Read, Resource::LiveRoster));
}

#[test]
fn a_device_scans_finds_and_watches_but_lists_nobody() {
    use Resource::*;
    use Verb::*;
    assert!(
        device_may(Profile::Scanner, Scan, CheckIn)
            && device_may(Profile::Scanner, Search, GuestRow)
    );
    assert!(device_may(Profile::Scanner, Watch, LiveRoster));
    assert!(
        !device_may(Profile::Scanner, Read, GuestRow)
            && !device_may(Profile::Scanner, Read, CheckIn)
    );
    assert!(
        device_may(Profile::Kiosk, Scan, CheckIn) && !device_may(Profile::Kiosk, Search, GuestRow)
    );
    assert!(
        !device_may(Profile::Viewer, Scan, CheckIn) && !device_may(Profile::Viewer, Annul, CheckIn)
    );
    assert!(
        device_may(Profile::Viewer, Read, Dashboard)
            && device_may(Profile::Viewer, Watch, LiveChannel)
    );
    assert!(!device_may(Profile::Viewer, Watch, LiveRoster));
    for (resource, verb, _) in TABLE {
        for profile in [Profile::Scanner, Profile::Kiosk, Profile::Viewer] {
            assert!(!device_may(profile, *verb, *resource) || may(Role::Device, *verb, *resource));
        }
    }
}

#[test]
fn a_device_searches_with_three_characters_or_more() {
    assert_eq!(search(Role::Device, " ab "), Err(Refused::SearchTooShort));
    assert_eq!(search(Role::Device, "äöü"), Ok(()));
    assert_eq!(search(Role::ReadOnly, ""), Ok(()));
    assert_eq!(search(Role::Anonymous, "abc"), Err(Refused::RoleNotAllowed));
    assert_eq!(search(Role::Patient, "abc"), Err(Refused::RoleNotAllowed));
}

#[test]
fn nobody_grants_more_than_they_are() {
    for by in Role::ALL {
        for role in Role::ALL {
            if may_grant(*by, *role) {
                assert!(by.at_least(Role::Manager));
                assert!(role.rank().is_none() || by.at_least(*role));
            }
        }
    }
    assert!(may_grant(Role::Admin, Role::Admin) && !may_grant(Role::Manager, Role::Admin));
    assert!(may_grant(Role::Manager, Role::Agent) && !may_grant(Role::Manager, Role::Manager));
    assert!(!may_grant(Role::Admin, Role::System) && !may_grant(Role::Agent, Role::ReadOnly));
    assert!(!may_change(Role::Manager, Role::Admin, Role::ReadOnly));
    assert!(!may_change(Role::Manager, Role::Manager, Role::Agent));
    assert!(may_change(Role::Manager, Role::ReadOnly, Role::Agent));
    assert!(!may_remove(Role::Manager, Role::Admin) && may_remove(Role::Admin, Role::Admin));
}
