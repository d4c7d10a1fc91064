//! A connection whose answers can be spoilt on the wire: from then on no byte of them is what it was, so that no client
//! makes anything of it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Every bit of a byte that makes letters something else.
const SPOILS: u8 = 0xa5;

/// A connection, and whether what is written to it is spoilt.
#[derive(Debug)]
pub(crate) struct Garbled {
    stream: TcpStream,
    spoilt: Arc<AtomicBool>,
}

impl Garbled {
    /// As it should be, until the switch that comes with it is thrown.
    pub(crate) fn new(stream: TcpStream) -> (Self, Arc<AtomicBool>) {
        let spoilt = Arc::new(AtomicBool::new(false));
        (Self { stream, spoilt: Arc::clone(&spoilt) }, spoilt)
    }
}

impl AsyncRead for Garbled {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Garbled {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.spoilt.load(Ordering::Relaxed) {
            let junk: Vec<u8> = buf.iter().map(|byte| byte ^ SPOILS).collect();
            return Pin::new(&mut self.stream).poll_write(cx, &junk);
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
