//! `Upgrade: h2c`: a connection that begins with HTTP/1.1 and goes on with HTTP/2.
//!
//! The request that asks for the upgrade is answered on stream 1 of the new protocol, which hyper
//! does not offer. So it is given to hyper's HTTP/2 as the frames in which the client would have
//! sent it, behind the client's own preface.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::rt::{Read, ReadBufCursor, Write};

/// What a client begins HTTP/2 with; its SETTINGS frame follows.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The head of a frame: length, type, flags, stream.
const FRAME_HEAD: usize = 9;
/// The largest frame that a peer takes unasked.
const LARGEST_FRAME: usize = 1 << 14;
/// The body of a request that is upgraded: no more than a peer takes before it has said otherwise.
pub(super) const LARGEST_BODY: u64 = (1 << 16) - 1;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Headers that belong to the connection, and have no place in HTTP/2.
const OF_THE_CONNECTION: [&str; 8] = [
    "connection",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Whether the client asks to go on with HTTP/2. Only one `HTTP2-Settings` header is legal.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    let names = |header: &str, name: &str| {
        let values = headers.get_all(header).into_iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|word| word.trim().eq_ignore_ascii_case(name))
    };
    names("upgrade", "h2c")
        && names("connection", "upgrade")
        && headers.get_all("http2-settings").iter().count() == 1
}

/// The request as the frames of stream 1.
pub(super) fn frames(parts: &Parts, body: &Bytes) -> Bytes {
    let mut block = BytesMut::new();
    let host = parts.headers.get("host");
    let authority = host.map_or(&b"localhost"[..], |host| host.as_bytes());
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    field(&mut block, ":method", parts.method.as_str().as_bytes());
    field(&mut block, ":scheme", b"http");
    field(&mut block, ":authority", authority);
    field(&mut block, ":path", path.as_bytes());
    for (name, value) in &parts.headers {
        if !OF_THE_CONNECTION.contains(&name.as_str()) {
            field(&mut block, name.as_str(), value.as_bytes());
        }
    }
    let mut frames = BytesMut::new();
    let mut kind = HEADERS;
    let mut pieces = block.chunks(LARGEST_FRAME).peekable();
    while let Some(piece) = pieces.next() {
        let mut flags = if pieces.peek().is_none() {
            END_HEADERS
        } else {
            0
        };
        if kind == HEADERS && body.is_empty() {
            flags |= END_STREAM;
        }
        frame(&mut frames, kind, flags, piece);
        kind = CONTINUATION;
    }
    let mut pieces = body.chunks(LARGEST_FRAME).peekable();
    while let Some(piece) = pieces.next() {
        let flags = if pieces.peek().is_none() {
            END_STREAM
        } else {
            0
        };
        frame(&mut frames, DATA, flags, piece);
    }
    frames.freeze()
}

fn frame(frames: &mut BytesMut, kind: u8, flags: u8, payload: &[u8]) {
    // A piece is never longer than LARGEST_FRAME.
    frames.put_uint(payload.len() as u64, 3);
    frames.put_u8(kind);
    frames.put_u8(flags);
    frames.put_u32(1);
    frames.put_slice(payload);
}

/// A header in HPACK's plainest form: a literal that enters no table.
fn field(block: &mut BytesMut, name: &str, value: &[u8]) {
    block.put_u8(0);
    text(block, name.as_bytes());
    text(block, value);
}

/// A length of seven bits, continued where it is larger, and the bytes.
fn text(block: &mut BytesMut, bytes: &[u8]) {
    const FULL: usize = 127;
    if bytes.len() < FULL {
        block.put_u8(bytes.len() as u8);
    } else {
        block.put_u8(FULL as u8);
        let mut rest = bytes.len() - FULL;
        while rest >= 128 {
            block.put_u8((rest % 128) as u8 | 128);
            rest /= 128;
        }
        block.put_u8(rest as u8);
    }
    block.put_slice(bytes);
}

/// A connection that reads the client's preface and SETTINGS first, then these frames, then whatever
/// else the client sends.
#[derive(Debug)]
pub(super) struct Injected<T> {
    inner: T,
    /// What has been read of preface and SETTINGS, until they are complete.
    opening: Option<BytesMut>,
    frames: Bytes,
    /// What is to be read next.
    ready: Bytes,
}

impl<T> Injected<T> {
    pub(super) fn new(inner: T, frames: Bytes) -> Self {
        Self {
            inner,
            opening: Some(BytesMut::new()),
            frames,
            ready: Bytes::new(),
        }
    }
}

/// How long preface and first frame are, once that can be told.
fn opening_length(read: &[u8]) -> Option<usize> {
    let head = read.get(PREFACE.len()..PREFACE.len() + 3)?;
    let length = head
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    Some(PREFACE.len() + FRAME_HEAD + length)
}

impl<T: Read + Unpin> Read for Injected<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while let Some(mut opening) = this.opening.take() {
            let complete = opening_length(&opening).filter(|length| opening.len() >= *length);
            let foreign = !opening.starts_with(&PREFACE[..opening.len().min(PREFACE.len())]);
            if let Some(length) = complete.filter(|_| !foreign) {
                let rest = opening.split_off(length);
                opening.extend_from_slice(&this.frames);
                opening.extend_from_slice(&rest);
            }
            if complete.is_some() || foreign {
                // Whoever does not speak HTTP/2 is told so by hyper.
                this.ready = opening.freeze();
                break;
            }
            let mut bytes = [0; 1024];
            let mut read = hyper::rt::ReadBuf::new(&mut bytes);
            let polled = Pin::new(&mut this.inner).poll_read(context, read.unfilled());
            if !matches!(polled, Poll::Ready(Ok(()))) {
                this.opening = Some(opening);
                return polled;
            }
            if read.filled().is_empty() {
                this.ready = opening.freeze();
                break;
            }
            opening.extend_from_slice(read.filled());
            this.opening = Some(opening);
        }
        if this.ready.is_empty() {
            return Pin::new(&mut this.inner).poll_read(context, buffer);
        }
        let piece = this
            .ready
            .split_to(this.ready.len().min(buffer.remaining()));
        buffer.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for Injected<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
