//! `checkers(log = "warn", databases = "off")`: what is done about what checkers find.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitStr, Token, parenthesized};

/// The words there are, each with its variant.
const WORDS: [(&str, &str); 3] = [("fail", "Fail"), ("warn", "Warn"), ("off", "Off")];

/// What is done about what one checker finds.
pub(super) struct Policy {
    checker: String,
    variant: &'static str,
}

impl Policy {
    /// Reads what follows `checkers`.
    pub(super) fn parse_all(input: ParseStream<'_>) -> syn::Result<Vec<Self>> {
        let content;
        parenthesized!(content in input);
        let all = Punctuated::<Self, Token![,]>::parse_terminated(&content)?;
        Ok(all.into_iter().collect())
    }

    pub(super) fn tokens(&self) -> TokenStream {
        let (checker, variant) = (&self.checker, format_ident!("{}", self.variant));
        quote!((#checker, ::armadillo::__private::CheckPolicy::#variant))
    }
}

impl Parse for Policy {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let checker: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        let word: LitStr = input.parse()?;
        let found = WORDS.iter().find(|(known, _)| *known == word.value());
        match found {
            Some((_, variant)) => Ok(Self {
                checker: checker.to_string(),
                variant,
            }),
            None => Err(Error::new(
                word.span(),
                "expected \"fail\", \"warn\" or \"off\"",
            )),
        }
    }
}
