//! Signed tickets: what is issued is read back, and nothing else is read at all.
//!
//! Invariant: chance comes from a seed; a failure names what repeats it.
//! Failure: the altered code that was taken for a ticket.

mod checkin_support;

use std::collections::BTreeSet;

use checkin_support::{Chance, at};
use chrono::{DateTime, Utc};
use rules::checkin::ticket::{
    MAX_CATEGORY, MAX_CODE, PREFIX, PrivateKey, PublicKey, Serials, Ticket, TicketKey, Tickets,
    TooLong, Unreadable, issue, parse,
};
use rules::time;
use uuid::Uuid;

const TABLE: Uuid = Uuid::from_u128(0x0189_0000_0000_7000_8000_0000_0000_00AA);

fn key() -> PrivateKey {
    PrivateKey::from_seed(&[42; 32])
}

fn tickets() -> Tickets {
    let key = TicketKey {
        number: 1,
        public_key: key().public(),
        revoked: false,
    };
    Tickets {
        keys: vec![key],
        revoked: Serials::default(),
    }
}

fn ticket(serial: u32) -> Ticket {
    Ticket {
        table_id: TABLE,
        row_id: Uuid::from_u128(7),
        serial,
        key: 1,
        category: Some("vip".to_owned()),
        valid_from: None,
        valid_until: Some(at("2026-06-01T22:00:00Z")),
    }
}

fn some_ticket(chance: &mut Chance) -> Ticket {
    let letters = ["a", "ä", "🎟", " ", "\u{301}"];
    let mut category = String::from("x");
    while chance.below(12) > 0 && category.len() < MAX_CATEGORY - 4 {
        category.push_str(chance.of(&letters));
    }
    let mut instant = |times: u64| -> Option<DateTime<Utc>> {
        let ms = (chance.next() >> 16) as i64 - (1 << 47);
        chance.one_in(times).then(|| time::from_ms(ms))
    };
    let (valid_from, valid_until) = (instant(2), instant(2));
    let shift = chance.below(32);
    Ticket {
        table_id: TABLE,
        row_id: Uuid::from_u64_pair(chance.next(), chance.next()),
        serial: (chance.next() as u32) >> shift,
        key: 1,
        category: chance.one_in(2).then_some(category),
        valid_from,
        valid_until,
    }
}

#[test]
fn what_is_issued_is_read_back() {
    let (key, tickets) = (key(), tickets());
    let mut chance = Chance::seeded(1);
    let mut codes = BTreeSet::new();
    for nth in 0..200 {
        let ticket = some_ticket(&mut chance);
        let code = issue(&ticket, &key).unwrap();
        assert_eq!(
            issue(&ticket, &key).as_ref(),
            Ok(&code),
            "not the same twice"
        );
        assert!(code.len() <= MAX_CODE, "{nth}: {code}");
        let alphabet = |c: char| c.is_ascii_uppercase() || ('2'..='7').contains(&c);
        assert!(code.chars().all(alphabet), "{nth}: {code}");
        let presented = tickets.read(TABLE, &code).unwrap();
        assert_eq!((presented.ticket, presented.revoked), (ticket, false));
        codes.insert(code);
    }
    assert_eq!(codes.len(), 200);
}

/// The longest that can be issued fits where a code fits.
#[test]
fn the_largest_ticket_fits() {
    let mut ticket = Ticket {
        row_id: Uuid::max(),
        table_id: Uuid::max(),
        serial: u32::MAX,
        key: u32::MAX,
        category: Some("x".repeat(MAX_CATEGORY)),
        valid_from: Some(DateTime::<Utc>::MIN_UTC),
        valid_until: Some(DateTime::<Utc>::MAX_UTC),
    };
    let code = issue(&ticket, &key()).unwrap();
    assert!(code.len() <= MAX_CODE, "{}", code.len());
    let read = parse(&code).unwrap();
    assert_eq!(read.claims().serial, u32::MAX);
    ticket.category = Some("x".repeat(MAX_CATEGORY + 1));
    assert_eq!(issue(&ticket, &key()), Err(TooLong));
}

#[test]
fn no_bit_can_be_altered() {
    let tickets = tickets();
    let code = issue(&ticket(300), &key()).unwrap();
    let text = code.strip_prefix(PREFIX).unwrap();
    let bytes = data_encoding::BASE32_NOPAD.decode(text.as_bytes()).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let code = format!("{PREFIX}{}", data_encoding::BASE32_NOPAD.encode(&altered));
        assert!(tickets.read(TABLE, &code).is_err(), "bit {bit}: {code}");
    }
}

#[test]
fn no_character_can_be_altered_left_out_or_put_in() {
    let tickets = tickets();
    let code = issue(&ticket(300), &key()).unwrap();
    for place in 0..code.len() {
        for other in ['A', 'B', 'Z', '2', '7', '0', 'a', '=', ' ', 'É'] {
            let (before, rest) = code.split_at(place);
            let after = &rest[1..];
            for altered in [
                format!("{before}{other}{after}"),
                format!("{before}{other}{rest}"),
                format!("{before}{after}"),
            ] {
                let read = tickets.read(TABLE, &altered);
                assert!(altered == code || read.is_err(), "{altered}");
            }
        }
        assert!(tickets.read(TABLE, &code[..place]).is_err(), "{place}");
    }
}

#[test]
fn chance_makes_no_ticket() {
    let tickets = tickets();
    let mut chance = Chance::seeded(5);
    for _ in 0..20_000 {
        let length = chance.below(220) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| chance.next() as u8).collect();
        // Half of them get as far as the signature.
        if let (true, Some(head)) = (chance.one_in(2), bytes.get_mut(..36)) {
            head[..2].copy_from_slice(&[1, 0]);
            head[2..18].copy_from_slice(TABLE.as_bytes());
            head[34..].copy_from_slice(&[1, 1]);
        }
        let code = format!("{PREFIX}{}", data_encoding::BASE32_NOPAD.encode(&bytes));
        assert!(tickets.read(TABLE, &code).is_err(), "{code}");
        let garbage: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        assert!(tickets.read(TABLE, &garbage).is_err());
        assert!(tickets.read(TABLE, &format!("{PREFIX}{garbage}")).is_err());
    }
}

#[test]
fn keys_are_read_in_one_notation_and_never_weak() {
    let key = key().public();
    let text = key.to_string();
    assert_eq!(text.len(), 43);
    assert_eq!(PublicKey::parse(&text), Some(key.clone()));
    let json = serde_json::to_string(&key).unwrap();
    assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), key);
    // Zero and one: points of small order, whose signatures verify for many messages.
    let zero = "A".repeat(43);
    let one = format!("AQ{}", "A".repeat(41));
    for bad in [
        "",
        &text[1..],
        &format!("{text}A"),
        &format!("{text}="),
        &text.replace(&text[..1], "*"),
        &zero,
        &one,
    ] {
        assert_eq!(PublicKey::parse(bad), None, "{bad}");
    }
    let wrong = format!("{{\"keys\":[{{\"number\":1,\"public_key\":\"{zero}\"}}]}}");
    assert!(serde_json::from_str::<Tickets>(&wrong).is_err());
}

/// Each refusal by its own name: what the person at the door is told depends on it.
#[test]
fn what_is_wrong_is_told_apart() {
    let code = issue(&ticket(1), &key()).unwrap();
    let mut tickets = tickets();
    let other = Uuid::from_u128(9);
    assert_eq!(tickets.read(other, &code), Err(Unreadable::OtherTable));
    assert_eq!(
        parse(&code).unwrap().verify(other, &key().public()),
        Err(Unreadable::OtherTable)
    );
    let strange = PrivateKey::from_seed(&[1; 32]).public();
    assert_eq!(
        parse(&code).unwrap().verify(TABLE, &strange),
        Err(Unreadable::WrongSignature)
    );
    assert_eq!(tickets.read(TABLE, "A-1"), Err(Unreadable::NoTicket));
    tickets.revoked.insert(1);
    assert!(tickets.read(TABLE, &code).unwrap().revoked);
    tickets.keys[0].revoked = true;
    assert_eq!(tickets.read(TABLE, &code), Err(Unreadable::RevokedKey));
    tickets.keys.clear();
    assert_eq!(tickets.read(TABLE, &code), Err(Unreadable::WrongSignature));
}

/// Against a set that is no more than a set.
#[test]
fn serials_are_a_set_in_as_few_ranges_as_can_be() {
    for seed in 0..300 {
        let mut chance = Chance::seeded(seed);
        let (mut serials, mut naive) = (Serials::default(), BTreeSet::new());
        for _ in 0..60 {
            let first = chance.below(60) as u32;
            let last = first + chance.below(5) as u32;
            if chance.one_in(2) {
                serials.insert(first);
                naive.insert(first);
            } else {
                serials.insert_range(first, last);
                naive.extend(first..=last);
            }
        }
        for serial in 0..70 {
            assert_eq!(
                serials.contains(serial),
                naive.contains(&serial),
                "seed {seed}: {serial}"
            );
        }
        let starts = naive.iter().filter(|serial| {
            serial
                .checked_sub(1)
                .is_none_or(|before| !naive.contains(&before))
        });
        assert_eq!(serials.ranges(), starts.count(), "seed {seed}");
        let json = serde_json::to_string(&serials).unwrap();
        assert_eq!(serde_json::from_str::<Serials>(&json).unwrap(), serials);
    }
}

#[test]
fn serials_reach_to_the_end_and_take_ranges_in_any_order() {
    let mut serials: Serials =
        serde_json::from_str("[[9,9],[3,1],[4294967295,4294967295],[0,2]]").unwrap();
    assert_eq!(
        serde_json::to_string(&serials).unwrap(),
        "[[0,2],[9,9],[4294967295,4294967295]]"
    );
    serials.insert_range(0, u32::MAX);
    assert_eq!((serials.ranges(), serials.contains(u32::MAX)), (1, true));
    assert!(!Serials::default().contains(0));
}
