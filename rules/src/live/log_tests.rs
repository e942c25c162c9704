//! Whom a channel can bring up to date, and how far back.

use super::*;

fn at(epoch: &str, offset: u64) -> Position {
    Position::new(epoch, offset)
}

#[test]
fn counted_recovery_is_all_or_nothing() {
    use Recovery::{All, Lost};
    let current = at("k3f9", 44);
    for (asked, oldest, expect) in [
        (at("k3f9", 41), 1, All { after: 41 }),
        (at("k3f9", 44), 45, All { after: 44 }),
        (at("k3f9", 44), 1, All { after: 44 }),
        (at("k3f9", 41), 42, All { after: 41 }),
        (at("k3f9", 40), 42, Lost),
        (at("k3f9", 0), 1, All { after: 0 }),
        (at("k3f9", 0), 2, Lost),
        (at("k3f9", 45), 1, Lost),
        (at("k3f9", u64::MAX), 1, Lost),
        (at("k3f8", 44), 1, Lost),
        (at("", 0), 1, Lost),
    ] {
        assert_eq!(
            recover(Kind::Counted, &asked, &current, oldest),
            expect,
            "{asked:?} {oldest}"
        );
    }
}

/// What a reader at `offset` gets of a channel whose events are their offsets.
fn missed(channel: &Channel, epoch: &str, offset: u64) -> Option<Vec<u64>> {
    let last = channel.position.offset;
    let read = |after| Ok::<_, ()>((after + 1..=last).collect());
    channel.missed(&at(epoch, offset), read).unwrap()
}

#[test]
fn the_newest_events_can_be_had_and_no_older_ones() {
    let channel = Channel::counted(at("e", 25_000), WINDOW);
    assert_eq!(channel.oldest, 15_001);
    let all = missed(&channel, "e", 15_000).unwrap();
    assert_eq!((all.len(), all[0]), (10_000, 15_001));
    assert_eq!(missed(&channel, "e", 14_999), None);
    assert_eq!(missed(&channel, "f", 25_000), None);
    let young = Channel::counted(at("e", 44), WINDOW);
    assert_eq!(missed(&young, "e", 0).map(|all| all.len()), Some(44));
    let kept_nothing = Channel::counted(at("e", u64::MAX), 0);
    assert_eq!(missed(&kept_nothing, "e", u64::MAX), Some(Vec::new()));
}

#[test]
fn who_has_everything_reads_nothing() {
    for channel in [
        Channel::counted(at("e", 44), WINDOW),
        Channel::latest(at("e", 44)),
        Channel::counted(at("e", 0), WINDOW),
    ] {
        let position = channel.position.clone();
        let unread = |_| Err::<Vec<u64>, _>("read");
        assert_eq!(channel.missed(&position, unread), Ok(Some(Vec::new())));
    }
}

#[test]
fn a_channel_of_the_latest_value_gives_it_to_whoever_lacks_it() {
    let channel = Channel::latest(at("e", 44));
    let value = |_| Ok::<_, ()>(vec!["value"]);
    assert_eq!(channel.missed(&at("e", 3), value), Ok(Some(vec!["value"])));
    assert_eq!(channel.missed(&at("e", 45), value), Ok(None));
    assert_eq!(channel.missed(&at("f", 3), value), Ok(None));
}
