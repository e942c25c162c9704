//! The rows of a database, and tickers that read and claim them in two steps.
//!
//! Invariant: a claim writes only where `next_run_at` is what was read, as the statement of the
//! real one does; a second job of an occurrence is refused by the key, and noted.
//! Failure: none; what went wrong is for the judge.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashSet};
use std::hash::{DefaultHasher, Hasher};

use chrono::{DateTime, TimeDelta, Utc};
use rules::schedule::{Claim, Decision, Overlap, Unfinished, claim, first_run, overlap};

use crate::pool::{Listed, Pool};
use crate::weather::{Dice, MINUTES, START, Tick, Weather};

/// A schedule as it is stored, and what became of its occurrences.
pub struct Row<'a> {
    pub listed: &'a Listed,
    pub policy: Overlap,
    pub next_run_at: Option<DateTime<Utc>>,
    /// Each occurrence that a tick claimed, with the moment that tick read.
    pub claimed: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    pub missed: u64,
    /// Jobs that the key refused.
    pub doubled: u64,
    /// Times that more runs than the policy allows were under way.
    pub crowded: u64,
    /// When the runs under way end.
    active: Vec<DateTime<Utc>>,
    /// How long the one that waits will take.
    buffered: Option<TimeDelta>,
}

/// What a ticker read, and what it made of it.
type Plan = Vec<(usize, DateTime<Utc>, Claim)>;

/// Something that happens at a moment; ties in the order they were planned.
enum Event {
    Read(Tick),
    Claim(usize, Plan),
}

/// A tick whose claims were written.
pub struct Done {
    pub read: DateTime<Utc>,
    pub claim: DateTime<Utc>,
    /// Rows that another tick had claimed meanwhile.
    pub raced: HashSet<usize>,
}

/// What happened, in numbers.
#[derive(Debug, Default)]
pub struct Totals {
    pub runs: u64,
    pub missed: u64,
    /// Claims that came after those of another tick.
    pub raced: u64,
    /// Runs that the overlap policy left out, and those that it let wait.
    pub left_out: u64,
    pub buffered: u64,
}

impl Totals {
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.missed += other.missed;
        self.raced += other.raced;
        self.left_out += other.left_out;
        self.buffered += other.buffered;
    }
}

pub struct World<'a> {
    pub rows: Vec<Row<'a>>,
    pub done: Vec<Done>,
    pub trace: Traced,
    pub totals: Totals,
    seed: u64,
    weather: Weather,
    compare_and_set: bool,
    due: BTreeSet<(DateTime<Utc>, usize)>,
    queue: BinaryHeap<Reverse<(DateTime<Utc>, usize)>>,
    events: Vec<Option<Event>>,
}

impl<'a> World<'a> {
    pub fn new(seed: u64, pool: &'a Pool, schedules: usize, compare_and_set: bool) -> Self {
        let mut dice = Dice::new(seed);
        let policies = [
            Overlap::Skip,
            Overlap::BufferOne,
            Overlap::CancelOther,
            Overlap::Allow,
        ];
        let rows = (0..schedules).map(|place| {
            let listed = pool.draw(&mut dice, place);
            Row {
                listed,
                policy: policies[dice.below(4) as usize],
                next_run_at: first_run(listed, START),
                claimed: Vec::new(),
                missed: 0,
                doubled: 0,
                crowded: 0,
                active: Vec::new(),
                buffered: None,
            }
        });
        let rows: Vec<_> = rows.collect();
        let due = rows.iter().enumerate();
        let due = due.filter_map(|(place, row)| Some((row.next_run_at?, place)));
        Self {
            due: due.collect(),
            rows,
            done: Vec::new(),
            trace: Traced::default(),
            totals: Totals::default(),
            seed,
            weather: Weather::new(seed),
            compare_and_set,
            queue: BinaryHeap::new(),
            events: Vec::new(),
        }
    }

    /// The whole year. Minutes at which nothing is due and nothing under way are passed over: their
    /// ticks would read nothing.
    pub fn run(&mut self) {
        let mut minute = 0;
        loop {
            if self.queue.is_empty() {
                let Some((first, _)) = self.due.first() else {
                    break;
                };
                let seconds = (*first - START).num_seconds();
                minute = minute.max((seconds + 59).div_euclid(60));
            }
            let clear = self.weather.clears(minute);
            self.until(START + TimeDelta::minutes(clear));
            if clear >= MINUTES {
                break;
            }
            for tick in self.weather.ticks(clear) {
                self.plan(tick.read, Event::Read(tick));
            }
            minute = clear + 1;
            self.until(START + TimeDelta::minutes(minute));
        }
        self.until(DateTime::<Utc>::MAX_UTC);
    }

    fn plan(&mut self, at: DateTime<Utc>, event: Event) {
        self.queue.push(Reverse((at, self.events.len())));
        self.events.push(Some(event));
    }

    /// Everything that happens before a moment.
    fn until(&mut self, end: DateTime<Utc>) {
        while let Some(Reverse((at, place))) = self.queue.peek().copied() {
            if at >= end {
                break;
            }
            self.queue.pop();
            match self.events[place].take() {
                Some(Event::Read(tick)) => self.read(tick),
                Some(Event::Claim(tick, plan)) => self.write(tick, at, plan),
                None => {}
            }
            if self.queue.is_empty() {
                self.events.clear();
            }
        }
    }

    /// One indexed read of what is due, and the decisions.
    fn read(&mut self, tick: Tick) {
        let due = self.due.range(..=(tick.read, usize::MAX));
        let plan: Plan = due
            .map(|(next, place)| {
                let claim = claim(self.rows[*place].listed, *next, tick.read);
                (*place, *next, claim)
            })
            .collect();
        // Who dies here leaves everything as it was.
        let Some(at) = tick.claim.filter(|_| !plan.is_empty()) else {
            return;
        };
        self.done.push(Done {
            read: tick.read,
            claim: at,
            raced: HashSet::new(),
        });
        self.plan(at, Event::Claim(self.done.len() - 1, plan));
    }

    /// One statement: every claim whose row is still as it was read.
    fn write(&mut self, tick: usize, at: DateTime<Utc>, plan: Plan) {
        for (place, read, claim) in plan {
            let stale = self.rows[place].next_run_at != Some(read);
            if stale && self.compare_and_set {
                self.done[tick].raced.insert(place);
                self.totals.raced += 1;
                continue;
            }
            self.apply(tick, place, at, claim);
        }
    }

    fn apply(&mut self, tick: usize, place: usize, at: DateTime<Utc>, claim: Claim) {
        let row = &mut self.rows[place];
        if let Some(next) = row.next_run_at {
            self.due.remove(&(next, place));
        }
        row.next_run_at = claim.next_run_at;
        if let Some(next) = claim.next_run_at {
            self.due.insert((next, place));
        }
        row.missed += claim.missed;
        self.totals.missed += claim.missed;
        let mut decision = None;
        if let Some(occurrence) = claim.scheduled_for {
            // `on conflict (config_id, scheduled_for) do nothing`
            if row.holds(occurrence) {
                row.doubled += 1;
            } else {
                row.claimed.push((occurrence, self.done[tick].read));
                let key = self.seed ^ ((place as u64) << 40) ^ occurrence.timestamp() as u64;
                let decided = row.start(at, takes(&mut Dice::new(key)));
                match decided {
                    Decision::Skip => self.totals.left_out += 1,
                    Decision::Buffer => self.totals.buffered += 1,
                    Decision::Start | Decision::CancelOthersAndStart => self.totals.runs += 1,
                }
                decision = Some(decided);
            }
        }
        self.trace.write(at, place, claim, decision);
    }
}

/// Minutes as a rule, sometimes days.
fn takes(dice: &mut Dice) -> TimeDelta {
    let most = match dice.below(20) {
        0 => 3 * 24 * 3_600,
        1..4 => 2 * 3_600,
        _ => 600,
    };
    TimeDelta::seconds(dice.below(most) as i64 + 1)
}

impl Row<'_> {
    /// Whether there is a job of an occurrence. They mostly come in order.
    fn holds(&self, occurrence: DateTime<Utc>) -> bool {
        let mut latest = self.claimed.iter().rev().map(|(at, _)| *at);
        match latest.next() {
            Some(last) if last < occurrence => false,
            Some(last) => last == occurrence || latest.any(|at| at == occurrence),
            None => false,
        }
    }

    /// What the policy does with a run that is due.
    fn start(&mut self, now: DateTime<Utc>, takes: TimeDelta) -> Decision {
        let last = self.active.iter().max().copied();
        self.active.retain(|end| *end > now);
        if let (true, Some(last), Some(waited)) = (self.active.is_empty(), last, self.buffered) {
            self.buffered = None;
            if last + waited > now {
                self.active.push(last + waited);
            }
        }
        let decision = overlap(
            self.policy,
            Unfinished {
                active: self.active.len() as u32,
                buffered: self.buffered.is_some().into(),
            },
        );
        match decision {
            Decision::Start => self.active.push(now + takes),
            Decision::CancelOthersAndStart => {
                self.buffered = None;
                self.active = vec![now + takes];
            }
            Decision::Buffer => self.buffered = Some(takes),
            Decision::Skip => {}
        }
        let crowd = self.active.len() > 1 && self.policy != Overlap::Allow;
        self.crowded += u64::from(crowd);
        decision
    }
}

/// Everything that was written, in order: as a hash, or whole.
#[derive(Default)]
pub struct Traced {
    hash: DefaultHasher,
    bytes: Option<Vec<u8>>,
}

impl Traced {
    pub fn whole() -> Self {
        Self {
            bytes: Some(Vec::new()),
            ..Self::default()
        }
    }

    fn write(&mut self, at: DateTime<Utc>, place: usize, claim: Claim, decision: Option<Decision>) {
        let instant = |at: Option<DateTime<Utc>>| at.map_or(i64::MIN, |at| at.timestamp_millis());
        let numbers = [
            instant(Some(at)),
            place as i64,
            instant(claim.scheduled_for),
            claim.missed as i64,
            instant(claim.next_run_at),
            decision.map_or(-1, |decision| decision as i64),
        ];
        for number in numbers {
            self.hash.write(&number.to_be_bytes());
            if let Some(bytes) = &mut self.bytes {
                bytes.extend(number.to_be_bytes());
            }
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash.finish()
    }

    pub fn bytes(self) -> Vec<u8> {
        self.bytes.unwrap_or_default()
    }
}
