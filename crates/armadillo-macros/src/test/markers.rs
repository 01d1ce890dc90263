//! `markers(slow, rta_suite("auth"))`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitStr, Token, parenthesized};

/// One marker with its arguments.
pub(crate) struct Marker {
    name: Ident,
    arguments: Vec<LitStr>,
}

pub(crate) fn parse(input: ParseStream<'_>) -> syn::Result<Vec<Marker>> {
    let content;
    parenthesized!(content in input);
    let markers = Punctuated::<Marker, Token![,]>::parse_terminated(&content)?;
    Ok(markers.into_iter().collect())
}

impl Parse for Marker {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any).map_err(|error| {
            Error::new(
                error.span(),
                "expected a marker, such as `slow` or `rta_suite(\"auth\")`",
            )
        })?;
        let mut arguments = Vec::new();
        if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            let texts =
                Punctuated::<LitStr, Token![,]>::parse_terminated(&content).map_err(|error| {
                    Error::new(
                        error.span(),
                        format!("expected string arguments: `{name}(\"..\")`"),
                    )
                })?;
            arguments = texts.into_iter().collect();
        }
        Ok(Self { name, arguments })
    }
}

impl Marker {
    /// The name of a marker of a fixture, which takes no arguments.
    pub(crate) fn bare(&self) -> syn::Result<String> {
        match self.arguments.first() {
            None => Ok(self.name.unraw().to_string()),
            Some(argument) => Err(Error::new(
                argument.span(),
                "a marker of a fixture takes no arguments",
            )),
        }
    }

    pub(super) fn tokens(&self) -> TokenStream {
        let name = self.name.unraw().to_string();
        let arguments = &self.arguments;
        quote!(::armadillo::__private::MarkerUse { name: #name, args: &[#(#arguments),*] })
    }
}
