//! `xfail = "reason"`, `xfail("reason", strict = false)`: a test that is known to fail.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::ParseStream;
use syn::{Ident, LitBool, LitStr, Token, parenthesized};

use super::options::ill_formed;

/// Why a test fails, and whether it may pass all the same.
pub(super) struct ExpectedFailure {
    reason: LitStr,
    strict: bool,
}

impl ExpectedFailure {
    /// What follows the option's name.
    pub(super) fn parse(input: ParseStream<'_>, span: Span) -> syn::Result<Self> {
        if input.parse::<Option<Token![=]>>()?.is_some() {
            let reason = input.parse()?;
            return Ok(Self {
                reason,
                strict: true,
            });
        }
        if !input.peek(syn::token::Paren) {
            return Err(ill_formed("xfail", span));
        }
        let content;
        parenthesized!(content in input);
        let reason = content.parse()?;
        let mut strict = true;
        if content.parse::<Option<Token![,]>>()?.is_some() && !content.is_empty() {
            let word: Ident = content.parse()?;
            if word != "strict" {
                return Err(syn::Error::new(word.span(), "expected `strict = false`"));
            }
            content.parse::<Token![=]>()?;
            strict = content.parse::<LitBool>()?.value;
        }
        if !content.is_empty() {
            return Err(content.error("expected nothing more"));
        }
        Ok(Self { reason, strict })
    }

    pub(super) fn tokens(&self) -> TokenStream {
        let (reason, strict) = (&self.reason, self.strict);
        quote!(::armadillo::__private::ExpectedFailure { reason: #reason, strict: #strict })
    }
}
