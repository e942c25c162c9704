//! The two directions of a socket.
//!
//! The reader and the writer are held from the beginning to the end, so that a connection can be cut
//! in the middle of a write: the runtime's `close` waits for one that is under way.
//! Invariant: one read and one write are under way at a time.
//! Failure: the error of the runtime, in its words. A connection whose encryption was agreed to and
//! never comes about the runtime keeps open until the other side ends it, whatever is done here: who
//! calls the same host again and again must not do so at once.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use worker::js_sys::{Object, Reflect, Uint8Array};
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::{ReadableStreamDefaultReader, WritableStreamDefaultWriter};
use worker::worker_sys::{self, Socket};

use super::Encryption;

/// An open socket.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    reader: ReadableStreamDefaultReader,
    writer: WritableStreamDefaultWriter,
    reading: Option<JsFuture>,
    unread: Vec<u8>,
    writing: Option<(JsFuture, usize)>,
    closing: Option<JsFuture>,
}

impl Stream {
    /// Begins to connect.
    pub fn connect(host: &str, port: u16, encryption: Encryption) -> io::Result<Self> {
        let transport = match encryption {
            Encryption::Now => "on",
            Encryption::Later => "starttls",
            Encryption::Never => "off",
        };
        let address = object([("hostname", host.into()), ("port", port.into())])?;
        let options = object([
            ("allowHalfOpen", false.into()),
            ("secureTransport", transport.into()),
        ])?;
        Self::of(worker_sys::connect(address, options).map_err(failed)?)
    }

    fn of(socket: Socket) -> io::Result<Self> {
        let readable = socket.readable().map_err(failed)?;
        let reader = readable
            .get_reader()
            .dyn_into::<ReadableStreamDefaultReader>();
        let writer = socket.writable().and_then(|writable| writable.get_writer());
        Ok(Self {
            socket,
            reader: reader.map_err(|other| failed(other.into()))?,
            writer: writer.map_err(failed)?,
            reading: None,
            unread: Vec::new(),
            writing: None,
            closing: None,
        })
    }

    /// Waits until it is connected.
    pub async fn opened(&self) -> io::Result<()> {
        let opened = self.socket.opened().map_err(failed)?;
        JsFuture::from(opened).await.map(drop).map_err(failed)
    }

    /// The same socket, encrypted from here on.
    pub fn encrypt(self) -> io::Result<Self> {
        self.reader.release_lock();
        self.writer.release_lock();
        Self::of(self.socket.start_tls().map_err(failed)?)
    }

    /// Cuts it, whatever it is doing. The other side is told where nothing is being written: an
    /// aborted writer would say nothing, and the socket live until it is collected.
    pub async fn abort(self) {
        let writer = match (&self.writing, &self.closing) {
            (None, None) => self.writer.close(),
            _ => self.writer.abort(),
        };
        let given_up = [writer, self.reader.cancel()].map(JsFuture::from);
        let closed = self.socket.close().map(JsFuture::from);
        for over in given_up {
            let _ = over.await;
        }
        if let Ok(closed) = closed {
            let _ = closed.await;
        }
    }

    fn take(&mut self, buffer: &mut ReadBuf<'_>) {
        let taken = buffer.remaining().min(self.unread.len());
        let left = self.unread.split_off(taken);
        buffer.put_slice(&self.unread);
        self.unread = left;
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            let mut reading = match self.reading.take() {
                Some(reading) => reading,
                None => JsFuture::from(self.reader.read()),
            };
            let Poll::Ready(chunk) = Pin::new(&mut reading).poll(cx) else {
                self.reading = Some(reading);
                return Poll::Pending;
            };
            let chunk = chunk.map_err(failed)?;
            let field = |name: &str| Reflect::get(&chunk, &name.into()).map_err(failed);
            if field("done")?.is_truthy() {
                return Poll::Ready(Ok(()));
            }
            self.unread = Uint8Array::new(&field("value")?).to_vec();
        }
        self.take(buffer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (mut writing, length) = match self.writing.take() {
            Some(writing) => writing,
            None => {
                let chunk = Uint8Array::from(bytes);
                let writing = self.writer.write_with_chunk(&chunk);
                (JsFuture::from(writing), bytes.len())
            }
        };
        match Pin::new(&mut writing).poll(cx) {
            Poll::Ready(written) => Poll::Ready(written.map(|_| length).map_err(failed)),
            Poll::Pending => {
                self.writing = Some((writing, length));
                Poll::Pending
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.writing.is_some() {
            true => self.as_mut().poll_write(cx, &[]).map_ok(drop),
            false => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        let mut closing = match self.closing.take() {
            Some(closing) => closing,
            None => JsFuture::from(self.writer.close()),
        };
        match Pin::new(&mut closing).poll(cx) {
            Poll::Ready(closed) => Poll::Ready(closed.map(drop).map_err(failed)),
            Poll::Pending => {
                self.closing = Some(closing);
                Poll::Pending
            }
        }
    }
}

fn object<const N: usize>(fields: [(&str, JsValue); N]) -> io::Result<JsValue> {
    let object = Object::new();
    for (name, value) in fields {
        Reflect::set(&object, &name.into(), &value).map_err(failed)?;
    }
    Ok(object.into())
}

fn failed(error: JsValue) -> io::Error {
    let words = error.as_string().or_else(|| {
        let error = error.dyn_ref::<worker::js_sys::Error>()?;
        Some(String::from(error.to_string()))
    });
    io::Error::other(words.unwrap_or_else(|| "the connection failed".to_owned()))
}
