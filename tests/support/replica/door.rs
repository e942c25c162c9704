//! A door: a small TCP proxy in front of a server, which tests cut, blackhole and slow.
//!
//! Invariant: an open door carries every byte unchanged and passes on each side's end; what a shut
//! door answers is the system's own refusal, on a port that stays this door's.
//! Failure: an upstream that refuses ends the client's connection with a reset.

use super::background;
use super::port::Port;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// The request for encryption that a client of Postgres begins with.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What a door does with what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Open,
    Shut,
    Blackhole,
    Slow(Duration),
}

/// What a door is told; a new hang-up ends the connections there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    mode: Mode,
    hang_ups: u64,
}

/// What went through a door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections taken since the start.
    pub taken: u64,
    /// Connections open now.
    pub open: u64,
    /// The most connections that were open at once.
    pub most: u64,
    /// Bytes that clients sent.
    pub sent: u64,
    /// Bytes that clients got.
    pub got: u64,
}

/// A door; dropping it ends its connections.
#[derive(Debug)]
pub struct Door {
    port: Arc<Port>,
    orders: Arc<watch::Sender<Order>>,
    shared: Arc<Shared>,
    listening: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    to: u16,
    /// Answers a request for encryption with no.
    plain: bool,
    listens: AtomicBool,
    taken: AtomicU64,
    sent: AtomicU64,
    got: AtomicU64,
    most: AtomicU64,
    /// For each open connection, how many hang-ups came before it.
    open: Mutex<Vec<u64>>,
}

impl Door {
    /// A door to a port of this machine.
    pub async fn to(port: u16) -> Self {
        Self::start(port, false).await
    }

    /// A door to a server that seems to know no encryption.
    pub async fn plain(port: u16) -> Self {
        Self::start(port, true).await
    }

    async fn start(to: u16, plain: bool) -> Self {
        let port = Arc::new(Port::free());
        let order = Order {
            mode: Mode::Open,
            hang_ups: 0,
        };
        let orders = Arc::new(watch::Sender::new(order));
        let shared = Arc::new(Shared {
            to,
            plain,
            listens: AtomicBool::new(false),
            taken: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            got: AtomicU64::new(0),
            most: AtomicU64::new(0),
            open: Mutex::default(),
        });
        let task = background().spawn(listen(port.clone(), orders.clone(), shared.clone()));
        let door = Self {
            port,
            orders,
            shared,
            listening: task.abort_handle(),
        };
        door.reaches(|door| door.listens()).await;
        door
    }

    /// Its port at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Drops every connection with a reset and refuses new ones.
    pub async fn cut(&self) {
        self.turn(Mode::Shut);
        let shut = |door: &Self| !door.listens() && door.traffic().open == 0;
        self.reaches(shut).await;
    }

    /// Takes connections and keeps them, and carries nothing either way, not even an end.
    pub fn blackhole(&self) {
        self.turn(Mode::Blackhole);
    }

    /// Carries each piece this much later.
    pub fn slow(&self, by: Duration) {
        self.turn(Mode::Slow(by));
    }

    /// Carries everything again, also what waited in the connections of a blackhole.
    pub async fn heal(&self) {
        self.turn(Mode::Open);
        self.reaches(Self::listens).await;
    }

    /// Drops every connection with a reset; new ones are welcome.
    pub async fn hang_up(&self) {
        self.orders.send_modify(|order| order.hang_ups += 1);
        let now = self.orders.borrow().hang_ups;
        let gone = |door: &Self| door.shared.open().iter().all(|before| *before >= now);
        self.reaches(gone).await;
    }

    /// What went through so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            taken: self.shared.taken.load(Ordering::SeqCst),
            open: self.shared.open().len() as u64,
            most: self.shared.most.load(Ordering::SeqCst),
            sent: self.shared.sent.load(Ordering::SeqCst),
            got: self.shared.got.load(Ordering::SeqCst),
        }
    }

    fn turn(&self, mode: Mode) {
        self.orders.send_modify(|order| order.mode = mode);
    }

    fn listens(&self) -> bool {
        self.shared.listens.load(Ordering::SeqCst)
    }

    async fn reaches(&self, state: impl Fn(&Self) -> bool) {
        let reached = async {
            while !state(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), reached).await;
        assert!(waited.is_ok(), "the door does not obey: {self:?}");
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.listening.abort();
        self.orders.send_modify(|order| {
            order.mode = Mode::Shut;
            order.hang_ups += 1;
        });
    }
}

impl Shared {
    fn open(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, before: u64) {
        let mut open = self.open();
        open.push(before);
        self.most.fetch_max(open.len() as u64, Ordering::SeqCst);
        self.taken.fetch_add(1, Ordering::SeqCst);
    }

    fn leave(&self, before: u64) {
        let mut open = self.open();
        if let Some(at) = open.iter().position(|other| *other == before) {
            open.swap_remove(at);
        }
    }
}

async fn listen(port: Arc<Port>, orders: Arc<watch::Sender<Order>>, shared: Arc<Shared>) {
    let mut told = orders.subscribe();
    loop {
        if told
            .wait_for(|order| order.mode != Mode::Shut)
            .await
            .is_err()
        {
            return;
        }
        let Ok(listener) = port.listen() else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        shared.listens.store(true, Ordering::SeqCst);
        tokio::select! {
            biased;
            _ = told.wait_for(|order| order.mode == Mode::Shut) => {}
            () = accept(&listener, &orders, &shared) => {}
        }
        drop(listener);
        shared.listens.store(false, Ordering::SeqCst);
    }
}

async fn accept(listener: &TcpListener, orders: &watch::Sender<Order>, shared: &Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // From the first moment, whoever drops it.
        let _ = client.set_zero_linger();
        let before = orders.borrow().hang_ups;
        shared.enter(before);
        tokio::spawn(attend(client, before, orders.subscribe(), shared.clone()));
    }
}

/// Carries one connection until both sides ended it or the door drops it.
async fn attend(
    client: TcpStream,
    before: u64,
    mut told: watch::Receiver<Order>,
    shared: Arc<Shared>,
) {
    let _ = client.set_nodelay(true);
    let dropped = |order: &Order| order.mode == Mode::Shut || order.hang_ups != before;
    let orders = told.clone();
    tokio::select! {
        biased;
        _ = told.wait_for(dropped) => {}
        _ = carry_both(client, orders, &shared) => {}
    }
    shared.leave(before);
}

/// Dropped while it works, it resets both connections.
async fn carry_both(
    mut client: TcpStream,
    mut orders: watch::Receiver<Order>,
    shared: &Shared,
) -> io::Result<()> {
    carries(&mut orders).await;
    let mut first = [0; 8];
    let mut held = 0;
    if shared.plain {
        client.read_exact(&mut first).await?;
        held = first.len();
        if first == SSL_REQUEST {
            client.write_all(b"N").await?;
            held = 0;
        }
    }
    let mut server = TcpStream::connect(("127.0.0.1", shared.to)).await?;
    server.set_nodelay(true)?;
    server.set_zero_linger()?;
    let (from_client, to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    to_server.write_all(&first[..held]).await?;
    let sending = carry(from_client, to_server, orders.clone(), &shared.sent);
    let getting = carry(from_server, to_client, orders, &shared.got);
    // A side that ended says so to the other; one that was reset ends both.
    tokio::try_join!(sending, getting).map(drop)
}

async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut orders: watch::Receiver<Order>,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await;
        if let Mode::Slow(by) = carries(&mut orders).await {
            tokio::time::sleep(by).await;
            carries(&mut orders).await;
        }
        let read = read?;
        if read == 0 {
            return to.shutdown().await;
        }
        count.fetch_add(read as u64, Ordering::SeqCst);
        to.write_all(&buffer[..read]).await?;
    }
}

/// Waits until the door carries anything, and says how.
async fn carries(orders: &mut watch::Receiver<Order>) -> Mode {
    let carrying = orders.wait_for(|order| order.mode != Mode::Blackhole).await;
    carrying.map_or(Mode::Shut, |order| order.mode)
}
