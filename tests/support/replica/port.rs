//! A port of this machine that stays reserved between two listeners.
//!
//! Invariant: the number belongs to its holder until dropped: on Linux a socket is bound to it that
//! never listens, beside which the holder's own server may listen; elsewhere it is only remembered.
//! Failure: no free port is a panic.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use tokio::net::{TcpListener, TcpSocket};

/// A reserved port at 127.0.0.1.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _held: Option<TcpSocket>,
}

impl Port {
    /// One that is free.
    pub fn free() -> Self {
        let socket = bound(0).expect("a free port");
        let number = socket.local_addr().expect("a port").port();
        let held = cfg!(target_os = "linux").then_some(socket);
        Self {
            number,
            _held: held,
        }
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Listens on it, until the listener is dropped.
    pub fn listen(&self) -> io::Result<TcpListener> {
        bound(self.number)?.listen(128)
    }
}

fn bound(number: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, number).into())?;
    Ok(socket)
}
