//! What a channel keeps and whom it can bring up to date.

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

#[test]
fn latest_recovery_gives_the_newest_value_unless_the_reader_has_it() {
    let mut log = Log::new(Kind::Latest, "e");
    assert_eq!(log.recover(&at("e", 0)).unwrap().count(), 0);
    for n in 1..=50 {
        log.append(n, 0);
    }
    let values = |offset| {
        log.recover(&at("e", offset))
            .map(|kept| kept.map(|kept| kept.event).collect::<Vec<_>>())
    };
    assert_eq!(values(3), Some(vec![50]));
    assert_eq!(values(50), Some(vec![]));
    assert_eq!(values(51), None);
    log.trim(i64::MAX);
    assert_eq!(
        log.recover(&at("e", 3)).unwrap().count(),
        1,
        "the newest value is never forgotten"
    );
    assert!(log.recover(&at("f", 3)).is_none());
}

#[test]
fn what_is_young_or_among_the_newest_is_kept() {
    let mut log = Log::new(Kind::Counted, "e");
    for n in 0..2_500_i64 {
        log.append(n, n * 1_000);
    }
    assert_eq!(log.trim(2_499_000), 1_500);
    assert_eq!(log.oldest_kept(), 1_501);
    let mut burst = Log::new(Kind::Counted, "e");
    for n in 0..5_000 {
        burst.append(n, 0);
    }
    assert_eq!(burst.trim(KEEP_MS - 1), 0, "all are young");
    assert_eq!(burst.trim(KEEP_MS), 4_000);
    assert_eq!(burst.recover(&at("e", 4_000)).unwrap().count(), 1_000);
    assert!(burst.recover(&at("e", 3_999)).is_none());
}

#[test]
fn a_channel_that_goes_on_without_history_recovers_only_the_newest_reader() {
    let mut log: Log<u8> = Log::resumed(Kind::Counted, at("e", 7));
    assert_eq!(log.recover(&at("e", 7)).unwrap().count(), 0);
    assert!(log.recover(&at("e", 6)).is_none());
    assert_eq!(log.next(), 8);
    assert_eq!(log.append(1, 0), 8);
    assert_eq!(log.recover(&at("e", 7)).unwrap().count(), 1);
}
