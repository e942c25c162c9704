//! A channel, its readers and everything that goes wrong between them, in random order: no reader
//! ever sees a gap, a repeat or half a recovery, and all of them end with what the channel holds.
//!
//! What a reader gets is decided by the very [`Channel`] that the live objects decide with; the world
//! around it stands in for an object's storage, its sockets and their readers.

use std::collections::VecDeque;
use std::convert::Infallible;

use rules::live::log::{Channel, Kind, Position};

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
    epoch: String,
    /// Every event as it was committed: the object's log. Its place is its offset.
    events: Vec<Event>,
    /// What the channel is about after so many events.
    states: Vec<State>,
    /// How many of the newest events can be had.
    window: u64,
    epochs: u64,
    readers: Vec<Reader>,
    /// How often something interesting happened.
    seen: Seen,
}

#[derive(Default, Debug)]
struct Seen {
    recovered: u64,
    recovered_nothing: u64,
    lost: u64,
    behind: u64,
    slow: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let kind = if seed.is_multiple_of(4) {
            Kind::Latest
        } else {
            Kind::Counted
        };
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        Self {
            window: dice.draw(2_000) + 1,
            dice,
            kind,
            epoch: "e0".to_owned(),
            events: Vec::new(),
            states: vec![State::default()],
            epochs: 0,
            readers: (0..READERS).map(|_| Reader::default()).collect(),
            seen: Seen::default(),
        }
    }

    fn step(&mut self) {
        match self.dice.draw(100) {
            0..30 => self.append(),
            30..34 => (0..self.dice.draw(1_500)).for_each(|_| self.append()),
            34..37 => self.restart(),
            37..39 => self.lose_storage(),
            39..55 => self.snapshot(),
            55..70 => self.connect(),
            70..75 => self.cut(),
            _ => self.deliver(),
        }
    }

    /// Where the channel is, as an object says it.
    fn channel(&self) -> Channel {
        let position = Position::new(self.epoch.clone(), self.events.len() as u64);
        match self.kind {
            Kind::Counted => Channel::counted(position, self.window),
            Kind::Latest => Channel::latest(position),
        }
    }

    /// What the channel is about now.
    fn state(&self) -> State {
        self.states[self.events.len()].clone()
    }

    /// The events after a place, as an object reads them.
    fn events_after(&self, after: u64) -> Result<Vec<(u64, Event)>, Infallible> {
        let last = self.events.len() as u64;
        let from = match self.kind {
            Kind::Counted => after,
            Kind::Latest => last.saturating_sub(1),
        };
        let events = self.events.iter().copied();
        Ok((1..).zip(events).skip(from as usize).collect())
    }

    fn reader(&mut self) -> usize {
        self.dice.draw(READERS as u64) as usize
    }

    /// A transaction commits, and its event goes out.
    fn append(&mut self) {
        let event = self.dice.draw(1 << 40);
        let mut state = self.state();
        state.apply(event);
        self.events.push(event);
        self.states.push(state);
        let offset = self.channel().position.offset;
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

    /// The process dies; what was stored is there again. Every socket drops.
    fn restart(&mut self) {
        self.readers.iter_mut().for_each(Reader::drop_socket);
    }

    /// The storage is gone and is built again from Postgres, which may be behind: a new epoch.
    fn lose_storage(&mut self) {
        self.restart();
        self.epochs += 1;
        self.epoch = format!("e{}", self.epochs);
        let behind = self.dice.draw(self.events.len().min(5) as u64 + 1);
        self.events.truncate(self.events.len() - behind as usize);
        self.states.truncate(self.events.len() + 1);
    }

    /// A reader without a place reads the snapshot, whose position is read together with it.
    fn snapshot(&mut self) {
        let at = self.reader();
        let now = (self.channel().position, self.state());
        let reader = &mut self.readers[at];
        if reader.seen.is_none() {
            reader.drop_socket();
            reader.seen = Some(now);
        }
    }

    /// A reader with a place connects and subscribes from there.
    fn connect(&mut self) {
        let at = self.reader();
        if self.readers[at].subscribed {
            return;
        }
        if let Some((asked, _)) = self.readers[at].seen.clone() {
            self.subscribe(at, &asked);
        }
    }

    /// The object answers a subscribe, and sends what happens from then on.
    fn subscribe(&mut self, at: usize, asked: &Position) {
        let channel = self.channel();
        let after = |after| self.events_after(after);
        let Ok(events) = channel.missed(asked, after);
        self.check_recovery(asked, &channel.position, events.as_deref());
        let answer = Message::Subscribed {
            position: channel.position,
            recovered: events.is_some(),
            events: events.unwrap_or_default(),
        };
        let reader = &mut self.readers[at];
        reader.socket = Some(VecDeque::from([answer]));
        reader.subscribed = true;
    }

    /// All or nothing, and nothing only where it may be.
    fn check_recovery(
        &mut self,
        asked: &Position,
        current: &Position,
        events: Option<&[(u64, Event)]>,
    ) {
        let same = asked.epoch == current.epoch && asked.offset <= current.offset;
        let near =
            self.kind == Kind::Latest || current.offset.saturating_sub(asked.offset) <= self.window;
        assert_eq!(events.is_some(), same && near, "{asked:?} of {current:?}");
        let Some(events) = events else {
            self.seen.behind += u64::from(same);
            return;
        };
        let truth = (1..).zip(self.events.iter().copied());
        let missed: Vec<(u64, Event)> = match self.kind {
            Kind::Counted => truth.skip(asked.offset as usize).collect(),
            Kind::Latest => truth
                .last()
                .filter(|(offset, _)| *offset > asked.offset)
                .into_iter()
                .collect(),
        };
        assert_eq!(events, missed, "every event after, in order");
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
        if position.epoch != self.epoch {
            return;
        }
        let truth = &self.states[position.offset as usize];
        match self.kind {
            Kind::Counted => assert_eq!(believed, truth),
            Kind::Latest => assert_eq!(believed.newest, truth.newest),
        }
    }

    /// Everyone comes back and reads everything.
    fn settle(&mut self) {
        for at in 0..READERS {
            for _ in 0..3 {
                let now = (self.channel().position, self.state());
                let asked = self.readers[at].seen.get_or_insert(now).0.clone();
                if !self.readers[at].subscribed {
                    self.subscribe(at, &asked);
                }
                let reader = &mut self.readers[at];
                let arrived = reader.socket.take().unwrap_or_default();
                reader.socket = Some(VecDeque::new());
                reader.drain(arrived, self.kind, &mut self.seen);
            }
            let (position, _) = self.readers[at].seen.clone().expect("a place");
            assert_eq!(position, self.channel().position);
            self.check_reader(at);
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
        all.behind += world.seen.behind;
        all.slow += world.seen.slow;
    }
    // The model is worth nothing where it never goes.
    assert!(
        all.recovered > SEEDS && all.recovered_nothing > SEEDS / 2,
        "{all:?}"
    );
    assert!(
        all.lost > SEEDS / 10 && all.behind > SEEDS / 10 && all.slow > SEEDS / 10,
        "{all:?}"
    );
}
