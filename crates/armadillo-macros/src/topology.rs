//! `cluster(servers = 5, minimal)`: a topology builder found by name, in the attribute of a test or of an argument.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, Ident, Path, Token, parenthesized};

use crate::test::options::twice;

/// A builder and what is set on it.
pub(crate) struct Topology {
    builder: Path,
    settings: Vec<Setting>,
}

/// `name`, `name = value` or `name(values)`.
struct Setting {
    name: Ident,
    values: Vec<Expr>,
}

impl Topology {
    /// Reads what follows the builder's name.
    pub(crate) fn parse(builder: Path, input: ParseStream<'_>) -> syn::Result<Self> {
        let mut settings = Vec::new();
        if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            let all = Punctuated::<Setting, Token![,]>::parse_terminated(&content)?;
            settings = all.into_iter().collect();
            once(&settings)?;
        }
        Ok(Self { builder, settings })
    }

    pub(crate) fn span(&self) -> Span {
        self.builder.span()
    }

    /// Reads what is in the parentheses of an attribute: topologies with commas between them.
    pub(crate) fn parse_all(input: ParseStream<'_>) -> syn::Result<Vec<Self>> {
        let parse_one = |input: ParseStream<'_>| {
            let builder = input.call(Path::parse_mod_style).map_err(|error| {
                syn::Error::new(
                    error.span(),
                    "expected a topology, such as `cluster(servers = 5)`",
                )
            })?;
            Self::parse(builder, input)
        };
        let all = Punctuated::<Self, Token![,]>::parse_terminated_with(input, parse_one)?;
        Ok(all.into_iter().collect())
    }

    /// The calls that build it, each at the place of its word, so that rustc reports there what does not exist.
    pub(crate) fn builder(&self) -> TokenStream {
        let builder = &self.builder;
        let settings = self.settings.iter().map(|Setting { name, values }| {
            let arguments = quote!(#(#values),*);
            quote_spanned!(name.span()=> .#name(#arguments))
        });
        let start = quote_spanned!(self.span()=> #builder());
        let end = quote_spanned!(self.span()=> .topology());
        quote!(#start #(#settings)* #end)
    }
}

impl Setting {
    /// Whether it has a name and a value of its own behind the word, as `option("log.level", "debug")` has: what is written
    /// so adds something, everything else sets what its word says.
    fn adds(&self) -> bool {
        self.values.len() > 1
    }
}

/// What sets something is said once: of two, one would be lost without a word.
fn once(settings: &[Setting]) -> syn::Result<()> {
    for (index, setting) in settings.iter().enumerate() {
        let said = |earlier: &Setting| earlier.name == setting.name && !earlier.adds();
        if !setting.adds() && settings[..index].iter().any(said) {
            return Err(twice(&setting.name.to_string(), setting.name.span()));
        }
    }
    Ok(())
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?;
        let mut values = Vec::new();
        if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            let all = Punctuated::<Expr, Token![,]>::parse_terminated(&content)?;
            values = all.into_iter().collect();
        } else if input.parse::<Option<Token![=]>>()?.is_some() {
            values.push(input.parse()?);
        }
        Ok(Self { name, values })
    }
}
