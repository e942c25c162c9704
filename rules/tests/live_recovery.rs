//! A channel, its readers and everything that goes wrong between them, in random order: no reader
//! ever sees a gap, a repeat or half a recovery, and all of them end with what the channel holds.

use std::collections::VecDeque;

use rules::live::log::{KEEP_EVENTS, KEEP_MS, Kind, Log, Position};

const SEEDS: u64 = 3_000;
const READERS: usize = 4;
/// Messages a socket holds before its reader counts as slow.
const QUEUE: usize = 40;

/// What an event says; its effect is added to the channel's sum.
type Event = u64;

struct Dice(u64);

impl Dice {
    fn draw(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// What the channel is about: the fold of its events, which a snapshot shows.
#[derive(Clone, Debug, Default, PartialEq)]
struct State {
    count: u64,
    sum: u64,
    newest: Option<Event>,
}

impl State {
    fn apply(&mut self, event: Event) {
        self.count += 1;
        self.sum = self.sum.wrapping_mul(31).wrapping_add(event);
        self.newest = Some(event);
    }
}

enum Message {
    Subscribed {
        position: Position,
        recovered: bool,
        events: Vec<(u64, Event)>,
    },
    Event {
        offset: u64,
        event: Event,
    },
}

#[derive(Default)]
struct Reader {
    /// What the reader believes, and as of where.
    seen: Option<(Position, State)>,
    /// The socket: messages on their way.
    socket: Option<VecDeque<Message>>,
    subscribed: bool,
}

struct World {
    dice: Dice,
    kind: Kind,
    log: Log<Event>,
    /// Every event of the current epoch since `base`, as it was committed: the truth.
    truth: Vec<(i64, Event)>,
    /// The state and the offset at which the current epoch began.
    base: (State, u64),
    state: State,
    epochs: u64,
    now_ms: i64,
    readers: Vec<Reader>,
    /// How often something interesting happened.
    seen: Seen,
}

#[derive(Default, Debug)]
struct Seen {
    recovered: u64,
    recovered_nothing: u64,
    lost: u64,
    slow: u64,
    trimmed: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let kind = if seed.is_multiple_of(4) {
            Kind::Latest
        } else {
            Kind::Counted
        };
        Self {
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            kind,
            log: Log::new(kind, "e0"),
            truth: Vec::new(),
            base: (State::default(), 0),
            state: State::default(),
            epochs: 0,
            now_ms: 1_000_000,
            readers: (0..READERS).map(|_| Reader::default()).collect(),
            seen: Seen::default(),
        }
    }

    fn step(&mut self) {
        match self.dice.draw(100) {
            0..26 => self.append(),
            26..30 => self.roll_back(),
            30..33 => (0..self.dice.draw(1_500)).for_each(|_| self.append()),
            33..38 => self.now_ms += self.dice.draw(KEEP_MS as u64 * 2) as i64,
            38..44 => self.seen.trimmed += self.log.trim(self.now_ms) as u64,
            44..46 => self.restart(),
            46..47 => self.lose_history(),
            47..60 => self.snapshot(),
            60..72 => self.connect(),
            72..76 => self.cut(),
            _ => self.deliver(),
        }
    }

    fn reader(&mut self) -> usize {
        self.dice.draw(READERS as u64) as usize
    }

    /// A transaction commits, and its event goes out.
    fn append(&mut self) {
        self.now_ms += self.dice.draw(50) as i64;
        let event = self.dice.draw(1 << 40);
        let expected = self.log.next();
        let offset = self.log.append(event, self.now_ms);
        assert_eq!(offset, expected, "offsets are dense");
        assert_eq!(
            offset,
            self.base.1 + self.truth.len() as u64 + 1,
            "and in commit order"
        );
        self.truth.push((self.now_ms, event));
        self.state.apply(event);
        let before: Vec<usize> = self
            .readers
            .iter()
            .map(|reader| reader.socket.as_ref().map_or(0, VecDeque::len))
            .collect();
        for (reader, length) in self.readers.iter_mut().zip(before) {
            let Some(queue) = reader.socket.as_mut().filter(|_| reader.subscribed) else {
                continue;
            };
            if queue.len() >= QUEUE {
                // Too slow: what is under way may or may not arrive, then the socket is gone.
                let arrives = (event % (QUEUE as u64 + 1)) as usize;
                let mut queue = reader.socket.take().unwrap_or_default();
                queue.truncate(arrives);
                reader.drain(queue, self.kind, &mut self.seen);
                reader.subscribed = false;
                self.seen.slow += 1;
            } else {
                queue.push_back(Message::Event { offset, event });
                assert_eq!(
                    queue.len(),
                    length + 1,
                    "one slow reader costs the others nothing"
                );
            }
        }
    }

    /// A transaction takes an offset on its own copy and is rolled back.
    fn roll_back(&mut self) {
        let next = self.log.next();
        assert_eq!(self.log.clone().append(0, self.now_ms), next);
        assert_eq!(self.log.next(), next, "nothing was used");
    }

    /// The process dies; what was stored is there again. Every socket drops.
    fn restart(&mut self) {
        self.readers.iter_mut().for_each(Reader::drop_socket);
    }

    /// The storage is gone and is built again from elsewhere: a new epoch, no history.
    fn lose_history(&mut self) {
        self.restart();
        self.epochs += 1;
        let offset = if self.dice.draw(2) == 0 {
            0
        } else {
            self.log.position().offset
        };
        self.log = Log::resumed(
            self.kind,
            Position::new(format!("e{}", self.epochs), offset),
        );
        self.base = (self.state.clone(), offset);
        self.truth.clear();
    }

    /// A reader without a place reads the snapshot, whose position is read together with it.
    fn snapshot(&mut self) {
        let at = self.reader();
        let now = (self.log.position(), self.state.clone());
        let reader = &mut self.readers[at];
        if reader.seen.is_none() {
            reader.drop_socket();
            reader.seen = Some(now);
        }
    }

    /// A reader with a place connects and subscribes from there.
    fn connect(&mut self) {
        let at = self.reader();
        let Some((asked, _)) = self.readers[at].seen.clone() else {
            return;
        };
        if self.readers[at].subscribed {
            return;
        }
        let position = self.log.position();
        let events: Option<Vec<(u64, Event)>> = self
            .log
            .recover(&asked)
            .map(|kept| kept.map(|kept| (kept.offset, kept.event)).collect());
        self.check_recovery(&asked, &position, events.as_deref());
        let recovered = events.is_some();
        let answer = Message::Subscribed {
            position,
            recovered,
            events: events.unwrap_or_default(),
        };
        let reader = &mut self.readers[at];
        reader.socket = Some(VecDeque::from([answer]));
        reader.subscribed = true;
    }

    /// All or nothing, and nothing only where it may be.
    fn check_recovery(
        &self,
        asked: &Position,
        current: &Position,
        events: Option<&[(u64, Event)]>,
    ) {
        let same = asked.epoch == current.epoch && asked.offset <= current.offset;
        let Some(events) = events else {
            let newest = current.offset.saturating_sub(KEEP_EVENTS as u64);
            let next = self
                .truth
                .get((asked.offset.saturating_sub(self.base.1)) as usize);
            let young = next.is_some_and(|(at_ms, _)| self.now_ms - at_ms < KEEP_MS);
            let kept = asked.offset >= self.base.1 && (asked.offset >= newest || young);
            assert!(
                !same || (!kept && self.kind == Kind::Counted),
                "lost although kept: {asked:?} of {current:?}"
            );
            return;
        };
        assert!(same);
        match self.kind {
            Kind::Counted => {
                let from = (asked.offset - self.base.1) as usize;
                let truth = self.truth[from..]
                    .iter()
                    .zip(asked.offset + 1..)
                    .map(|((_, event), offset)| (offset, *event));
                assert!(
                    events.iter().copied().eq(truth),
                    "every event after, in order"
                );
            }
            Kind::Latest => {
                let newest = self.truth.last().map(|(_, event)| (current.offset, *event));
                let expect: Vec<(u64, Event)> = newest
                    .into_iter()
                    .filter(|(offset, _)| *offset > asked.offset)
                    .collect();
                assert_eq!(events, expect, "the newest value only");
            }
        }
    }

    fn cut(&mut self) {
        let at = self.reader();
        self.readers[at].drop_socket();
    }

    fn deliver(&mut self) {
        let at = self.reader();
        let take = self.dice.draw(QUEUE as u64) as usize + 1;
        let reader = &mut self.readers[at];
        let Some(queue) = &mut reader.socket else {
            return;
        };
        let arrived: VecDeque<Message> = queue.drain(..take.min(queue.len())).collect();
        reader.drain(arrived, self.kind, &mut self.seen);
        self.check_reader(at);
    }

    /// What a reader believes is what was true where it believes to be.
    fn check_reader(&self, at: usize) {
        let Some((position, believed)) = &self.readers[at].seen else {
            return;
        };
        if position.epoch != self.log.position().epoch || position.offset < self.base.1 {
            return;
        }
        let events = &self.truth[..(position.offset - self.base.1) as usize];
        match self.kind {
            Kind::Counted => {
                let mut truth = self.base.0.clone();
                events.iter().for_each(|(_, event)| truth.apply(*event));
                assert_eq!(*believed, truth);
            }
            Kind::Latest => {
                let newest = events
                    .last()
                    .map(|(_, event)| *event)
                    .or(self.base.0.newest);
                assert_eq!(believed.newest, newest);
            }
        }
    }

    /// Everyone comes back and reads everything.
    fn settle(&mut self) {
        for at in 0..READERS {
            for _ in 0..3 {
                let now = (self.log.position(), self.state.clone());
                let reader = &mut self.readers[at];
                reader.seen.get_or_insert(now);
                if !reader.subscribed {
                    let asked = reader.seen.clone().expect("a place").0;
                    let events = self
                        .log
                        .recover(&asked)
                        .map(|kept| kept.map(|kept| (kept.offset, kept.event)).collect());
                    let position = self.log.position();
                    let recovered = events.is_some();
                    let answer = Message::Subscribed {
                        position,
                        recovered,
                        events: events.unwrap_or_default(),
                    };
                    reader.socket = Some(VecDeque::from([answer]));
                    reader.subscribed = true;
                }
                let arrived = reader.socket.take().unwrap_or_default();
                reader.socket = Some(VecDeque::new());
                reader.drain(arrived, self.kind, &mut self.seen);
            }
            let (position, believed) = self.readers[at].seen.clone().expect("a place");
            assert_eq!(position, self.log.position());
            assert_eq!(believed.newest, self.state.newest);
            if self.kind == Kind::Counted {
                assert_eq!(believed, self.state);
            }
        }
    }
}

impl Reader {
    fn drop_socket(&mut self) {
        self.socket = None;
        self.subscribed = false;
    }

    /// Reads what arrived, believing nothing that the protocol does not promise.
    fn drain(&mut self, arrived: VecDeque<Message>, kind: Kind, seen: &mut Seen) {
        for message in arrived {
            match message {
                Message::Subscribed {
                    recovered: false,
                    events,
                    ..
                } => {
                    assert!(events.is_empty(), "nothing with a recovery that failed");
                    self.seen = None;
                    self.drop_socket();
                    seen.lost += 1;
                    return;
                }
                Message::Subscribed {
                    position,
                    recovered: true,
                    events,
                } => {
                    if events.is_empty() {
                        seen.recovered_nothing += 1
                    } else {
                        seen.recovered += 1
                    }
                    for (offset, event) in events {
                        self.take(offset, event, kind);
                    }
                    let (mine, _) = self.seen.as_ref().expect("a place");
                    assert_eq!(*mine, position, "up to date after a recovery");
                }
                Message::Event { offset, event } => self.take(offset, event, kind),
            }
        }
    }

    fn take(&mut self, offset: u64, event: Event, kind: Kind) {
        let (position, state) = self.seen.as_mut().expect("events come after a place");
        match kind {
            Kind::Counted => assert_eq!(offset, position.offset + 1, "no gap and no repeat"),
            Kind::Latest => assert!(offset > position.offset, "never back"),
        }
        position.offset = offset;
        state.apply(event);
    }
}

#[test]
fn readers_see_every_event_once_or_know_that_they_did_not() {
    let mut all = Seen::default();
    for seed in 1..=SEEDS {
        let mut world = World::new(seed);
        for _ in 0..90 {
            world.step();
        }
        world.settle();
        all.recovered += world.seen.recovered;
        all.recovered_nothing += world.seen.recovered_nothing;
        all.lost += world.seen.lost;
        all.slow += world.seen.slow;
        all.trimmed += world.seen.trimmed;
    }
    // The model is worth nothing where it never goes.
    assert!(
        all.recovered > SEEDS && all.recovered_nothing > SEEDS / 2,
        "{all:?}"
    );
    assert!(
        all.lost > SEEDS / 10 && all.slow > SEEDS / 10 && all.trimmed > SEEDS,
        "{all:?}"
    );
}
