//! `requires(real, version = ">=3.12.4", CAPABILITY, SYSTEM(version = "..."))` in the attribute of a test.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitStr, Token, parenthesized};

/// One requirement.
pub(super) struct Requirement {
    system: Option<String>,
    what: What,
}

enum What {
    Real,
    Version(Vec<(String, Vec<u32>)>),
    Capability(String),
}

impl Requirement {
    /// The list in parentheses.
    pub(super) fn parse_all(input: ParseStream<'_>) -> syn::Result<Vec<Self>> {
        let content;
        let parenthesis = parenthesized!(content in input);
        let groups = Punctuated::<Group, Token![,]>::parse_terminated_with(&content, Group::parse)?;
        let all: Vec<Self> = groups.into_iter().flat_map(|group| group.0).collect();
        if all.is_empty() {
            let message = "expected `real`, `version = \">=1.2\"` or a capability";
            return Err(Error::new(parenthesis.span.join(), message));
        }
        Ok(all)
    }

    pub(super) fn tokens(&self) -> TokenStream {
        let private = quote!(::armadillo::__private);
        let system = match &self.system {
            Some(system) => quote!(::core::option::Option::Some(#system)),
            None => quote!(::core::option::Option::None),
        };
        let what = match &self.what {
            What::Real => quote!(Real),
            What::Capability(name) => quote!(Capability(#name)),
            What::Version(bounds) => {
                let bounds = bounds.iter().map(
                    |(sign, parts)| quote!(#private::Bound { sign: #sign, parts: &[#(#parts),*] }),
                );
                quote!(Version(&[#(#bounds),*]))
            }
        };
        quote!(#private::Requirement { system: #system, what: #private::Required::#what })
    }
}

/// What stands between two commas.
struct Group(Vec<Requirement>);

impl Group {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input.parse().map_err(|error| {
            Error::new(
                error.span(),
                "expected `real`, `version = \">=1.2\"` or a capability",
            )
        })?;
        if input.peek(syn::token::Paren) {
            let system = name.to_string();
            let mut all = Requirement::parse_all(input)?;
            if all.iter().any(|inner| inner.system.is_some()) {
                return Err(Error::new(
                    name.span(),
                    "a system cannot be inside of another",
                ));
            }
            for inner in &mut all {
                inner.system = Some(system.clone());
            }
            return Ok(Self(all));
        }
        let what = if name == "version" {
            let expected = || Error::new(name.span(), "expected `version = \">=1.2\"`");
            input.parse::<Token![=]>().map_err(|_| expected())?;
            What::Version(bounds(&input.parse()?)?)
        } else if name == "real" {
            What::Real
        } else {
            What::Capability(name.to_string())
        };
        Ok(Self(vec![Requirement { system: None, what }]))
    }
}

/// `>=3.12.4, <4`
fn bounds(text: &LitStr) -> syn::Result<Vec<(String, Vec<u32>)>> {
    let bound = |said: &str| {
        let said = said.trim();
        let version = said.trim_start_matches(['>', '<', '=']);
        let sign = &said[..said.len() - version.len()];
        if !matches!(sign, ">=" | ">" | "<=" | "<" | "=") {
            return None;
        }
        let parts: Option<Vec<u32>> = version
            .trim()
            .split('.')
            .map(|part| part.parse().ok())
            .collect();
        Some((sign.to_owned(), parts?))
    };
    let all: Option<Vec<_>> = text.value().split(',').map(bound).collect();
    all.ok_or_else(|| {
        let message = "expected a version with `>=`, `>`, `<=`, `<` or `=` before it, such as \">=3.12.4\" or \">=3.12, <4\"";
        Error::new(text.span(), message)
    })
}
