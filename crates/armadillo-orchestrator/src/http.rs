//! A small HTTP/1.1 client for JSON over TCP and over Unix sockets.

/// A request, independent of where it goes.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// Headers beside `host`, `content-length` and `content-type`.
    pub headers: Vec<(String, crate::secret::Secret)>,
    /// The body, sent as `application/json`.
    pub body: Option<Vec<u8>>,
}
