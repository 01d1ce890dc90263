//! Durations: `"500ms"`, `"30s"`, `"3m"`, `"1h30m"`, as the settings have them.

#[path = "../../../armadillo-orchestrator/src/duration/grammar.rs"]
#[expect(
    unreachable_pub,
    reason = "the other crate that has this module exports it"
)]
mod grammar;

use syn::parse::ParseStream;
use syn::{Error, LitStr};

const HELP: &str = "expected a duration in quotes, such as \"500ms\", \"30s\", \"3m\" or \"1h30m\"";

/// A duration in milliseconds; not zero.
pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<u64> {
    let text: LitStr = input
        .parse()
        .map_err(|error| Error::new(error.span(), HELP))?;
    let limit = grammar::parse_millis(&text.value()).filter(|limit| *limit > 0);
    limit.ok_or_else(|| Error::new(text.span(), HELP))
}
