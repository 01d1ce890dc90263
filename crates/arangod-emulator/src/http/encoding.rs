//! Compressed bodies, of requests and of answers (`CommTask.cpp`, `RestHandler.cpp`).

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use http_body_util::Full;
use hyper::Response;
use hyper::header::HeaderValue;

use super::Request;
use crate::auth::Identity;
use crate::errors::ApiError;
use crate::settings::Encodings;

/// The encodings that arangod knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Deflate,
}

impl Encoding {
    /// The encoding of this name. arangod compares the whole header, also where it could be a list.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// The body as the client had it before it compressed it, at most so long.
pub(super) fn decode(
    request: &Request,
    body: Bytes,
    encodings: Encodings,
    largest: usize,
) -> Result<Bytes, ApiError> {
    let named = request.header("content-encoding").and_then(Encoding::named);
    let Some(encoding) = named else {
        return Ok(body);
    };
    if request.identity == Identity::Nobody && !encodings.unauthenticated {
        let text = "support for handling Content-Encoding headers is turned off for \
                    unauthenticated requests";
        return Err(ApiError::new(403, 11, text));
    }
    let mut plain = Vec::new();
    let limit = largest as u64 + 1;
    let read = match encoding {
        Encoding::Gzip => GzDecoder::new(&body[..])
            .take(limit)
            .read_to_end(&mut plain),
        Encoding::Deflate => ZlibDecoder::new(&body[..])
            .take(limit)
            .read_to_end(&mut plain),
    };
    if read.is_err() {
        let name = encoding.name();
        let text = format!("a decoding error occurred while handling Content-Encoding: {name}");
        return Err(ApiError::bad_parameter(text));
    }
    if plain.len() > largest {
        return Err(ApiError::new(413, 413, "the body is too large"));
    }
    Ok(plain.into())
}

/// The response with a compressed body, where the client asks for it, the server is told to, and it
/// gets smaller by it.
pub(super) fn encode(
    mut response: Response<Full<Bytes>>,
    body: &Bytes,
    accepted: Option<Encoding>,
    encodings: Encodings,
) -> Response<Full<Bytes>> {
    let long = body.len() as u64 >= encodings.threshold;
    let Some(encoding) = accepted.filter(|_| encodings.threshold > 0 && long) else {
        return response;
    };
    let level = Compression::default();
    let packed = match encoding {
        Encoding::Gzip => pack(GzEncoder::new(Vec::new(), level), body, GzEncoder::finish),
        Encoding::Deflate => pack(
            ZlibEncoder::new(Vec::new(), level),
            body,
            ZlibEncoder::finish,
        ),
    };
    if let Ok(packed) = packed
        && packed.len() < body.len()
    {
        *response.body_mut() = Full::new(packed.into());
        let name = HeaderValue::from_static(encoding.name());
        response.headers_mut().insert("content-encoding", name);
    }
    response
}

fn pack<W: Write>(
    mut writer: W,
    body: &[u8],
    finish: impl FnOnce(W) -> std::io::Result<Vec<u8>>,
) -> std::io::Result<Vec<u8>> {
    writer.write_all(body)?;
    finish(writer)
}
