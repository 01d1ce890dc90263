//! The options in the attribute of a test.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Error, Ident, LitInt, LitStr, Path, Token};

use super::cases::{Case, TypeCase};
use super::checkers::Policy;
use super::markers::Marker;
use super::requires::Requirement;
use super::standard::Standard;
use super::xfail::ExpectedFailure;
use super::{duration, markers};
use crate::topology::Topology;

/// Every option there is, with how it is written.
const OPTIONS: [(&str, &str); 11] = [
    ("markers", "markers(slow, rta_suite(\"auth\"))"),
    ("timeout", "timeout = \"30s\""),
    ("retries", "retries = 2"),
    ("isolated", "isolated"),
    ("ignore", "ignore = \"reason\""),
    ("should_panic", "should_panic = \"text\""),
    ("xfail", "xfail = \"reason\""),
    ("checkers", "checkers(log = \"warn\")"),
    ("requires", "requires(version = \">=1.2\")"),
    ("cases", "cases(small(1), large(1000))"),
    ("types", "types(a = A, b = B)"),
];

/// A value with the place where it was said.
pub(super) struct Said<T> {
    pub(super) span: Span,
    pub(super) value: T,
}

/// The options of a test.
#[derive(Default)]
pub(super) struct Options {
    pub(super) markers: Vec<Marker>,
    pub(super) timeout: Option<Said<u64>>,
    pub(super) retries: Option<Said<u32>>,
    pub(super) isolated: Option<Said<()>>,
    /// The reason.
    pub(super) ignore: Option<Said<String>>,
    /// What the message must contain.
    pub(super) should_panic: Option<Said<Option<String>>>,
    pub(super) xfail: Option<Said<ExpectedFailure>>,
    pub(super) checkers: Option<Said<Vec<Policy>>>,
    pub(super) requires: Option<Said<Vec<Requirement>>>,
    pub(super) cases: Option<Said<Vec<Case>>>,
    pub(super) types: Option<Said<Vec<TypeCase>>>,
    pub(super) topologies: Vec<Topology>,
    markers_said: bool,
}

impl Options {
    pub(super) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        let parse = |input: ParseStream<'_>| {
            let mut options = Self::default();
            while !input.is_empty() {
                options.parse_one(input)?;
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(options)
        };
        parse.parse2(tokens)
    }

    /// The same with what the standard attributes of the function say.
    pub(super) fn with(mut self, standard: Standard) -> syn::Result<Self> {
        if let Some(Said { span, value }) = standard.ignore {
            put(&mut self.ignore, "ignore", span, value)?;
        }
        if let Some(Said { span, value }) = standard.should_panic {
            put(&mut self.should_panic, "should_panic", span, value)?;
        }
        Ok(self)
    }

    fn parse_one(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let path = if input.peek(Token![type]) {
            Path::from(input.call(Ident::parse_any)?)
        } else {
            input.call(Path::parse_mod_style).map_err(|error| {
                Error::new(
                    error.span(),
                    format!("expected an option or a topology; options are {}", forms()),
                )
            })?
        };
        let span = path.span();
        let name = path.get_ident().map(Ident::to_string).unwrap_or_default();
        match name.as_str() {
            "markers" => {
                if std::mem::replace(&mut self.markers_said, true) {
                    return Err(twice("markers", span));
                }
                parenthesis(input, &name, span)?;
                self.markers = markers::parse(input)?;
                Ok(())
            }
            "timeout" => {
                equals(input, &name, span)?;
                let limit = duration::parse(input)?;
                put(&mut self.timeout, "timeout", span, limit)
            }
            "retries" => {
                equals(input, &name, span)?;
                let number: LitInt = input.parse().map_err(|error| {
                    Error::new(error.span(), "expected a number, such as `retries = 2`")
                })?;
                put(&mut self.retries, "retries", span, number.base10_parse()?)
            }
            "isolated" => put(&mut self.isolated, "isolated", span, ()),
            "ignore" => {
                let reason = text_after_equals(input)?.unwrap_or_default();
                put(&mut self.ignore, "ignore", span, reason)
            }
            "should_panic" => {
                let text = text_after_equals(input)?;
                put(&mut self.should_panic, "should_panic", span, text)
            }
            "xfail" => {
                let expected = ExpectedFailure::parse(input, span)?;
                put(&mut self.xfail, "xfail", span, expected)
            }
            "checkers" => {
                parenthesis(input, &name, span)?;
                let policies = Policy::parse_all(input)?;
                put(&mut self.checkers, "checkers", span, policies)
            }
            "requires" => {
                parenthesis(input, &name, span)?;
                let all = Requirement::parse_all(input)?;
                put(&mut self.requires, "requires", span, all)
            }
            "cases" => {
                parenthesis(input, &name, span)?;
                put(&mut self.cases, "cases", span, Case::parse_all(input)?)
            }
            "types" => {
                parenthesis(input, &name, span)?;
                put(&mut self.types, "types", span, TypeCase::parse_all(input)?)
            }
            _ if input.peek(Token![=]) => Err(unknown(&path, &name)),
            _ if similar(&name).is_some() => Err(unknown(&path, &name)),
            _ => {
                self.topologies.push(Topology::parse(path, input)?);
                Ok(())
            }
        }
    }
}

fn put<T>(place: &mut Option<Said<T>>, name: &str, span: Span, value: T) -> syn::Result<()> {
    match place.replace(Said { span, value }) {
        None => Ok(()),
        Some(_) => Err(twice(name, span)),
    }
}

/// The error that an option that is said once at most was said again.
pub(crate) fn twice(name: &str, span: Span) -> Error {
    Error::new(span, format!("`{name}` is set twice"))
}

/// Consumes the `=` after an option that is written with it.
fn equals(input: ParseStream<'_>, option: &str, span: Span) -> syn::Result<()> {
    match input.parse::<Option<Token![=]>>()? {
        Some(_) => Ok(()),
        None => Err(ill_formed(option, span)),
    }
}

/// Sees a parenthesis after an option that is written with it.
fn parenthesis(input: ParseStream<'_>, option: &str, span: Span) -> syn::Result<()> {
    if input.peek(syn::token::Paren) {
        Ok(())
    } else {
        Err(ill_formed(option, span))
    }
}

pub(super) fn ill_formed(option: &str, span: Span) -> Error {
    let form = OPTIONS.iter().find(|(known, _)| *known == option);
    let form = form.map_or(option, |(_, form)| form);
    Error::new(span, format!("expected `{form}`"))
}

/// The text after an optional `=`.
pub(super) fn text_after_equals(input: ParseStream<'_>) -> syn::Result<Option<String>> {
    if input.parse::<Option<Token![=]>>()?.is_none() {
        return Ok(None);
    }
    let text: LitStr = input
        .parse()
        .map_err(|error| Error::new(error.span(), "expected a string literal"))?;
    Ok(Some(text.value()))
}

fn unknown(path: &Path, name: &str) -> Error {
    let message = match similar(name) {
        Some((option, form)) => {
            format!("unknown option `{name}`; did you mean `{option}`, as in `{form}`?")
        }
        None => format!(
            "unknown option `{}`; options are {}; topologies are written with parentheses: `cluster(..)`",
            quote::quote!(#path),
            forms()
        ),
    };
    Error::new_spanned(path, message)
}

fn forms() -> String {
    let forms: Vec<String> = OPTIONS
        .iter()
        .map(|(_, form)| format!("`{form}`"))
        .collect();
    forms.join(", ")
}

/// The option that is one letter away from `name`.
fn similar(name: &str) -> Option<(&'static str, &'static str)> {
    OPTIONS
        .into_iter()
        .find(|(option, _)| one_letter_away(option, name) || one_letter_away(name, option))
}

/// Whether `a` becomes `b` when one letter is left out, or exchanged.
fn one_letter_away(a: &str, b: &str) -> bool {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a.as_bytes()[same..], &b.as_bytes()[same..]);
    match a.len().checked_sub(b.len()) {
        Some(1) => a[1..] == *b,
        Some(0) => a.len() > 1 && a[1..] == b[1..],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_noticed_and_a_topology_is_not_one() {
        let similar = |name| similar(name).map(|(option, _)| option);
        assert_eq!(similar("marker"), Some("markers"));
        assert_eq!(similar("isolate"), Some("isolated"));
        assert_eq!(similar("tipes"), Some("types"));
        assert_eq!(similar("ignored"), Some("ignore"));
        assert_eq!(similar("cluster"), None);
        assert_eq!(similar(""), None);
    }
}
