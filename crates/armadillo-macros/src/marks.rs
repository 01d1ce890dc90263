//! What the attributes of one argument say: `#[case]`, `#[on(a)]`, `#[topology(cluster(servers = 5))]`.

use proc_macro2::Span;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Ident, Meta, Token};

use crate::test::options::twice;
use crate::topology::Topology;

/// The attributes of an argument, taken off it.
#[derive(Default)]
pub(crate) struct Marks {
    /// Whether it takes a value of the case.
    pub(crate) case: bool,
    /// The arguments on whose deployments it is.
    pub(crate) on: Vec<Ident>,
    pub(crate) topologies: Vec<Topology>,
    /// The first of the attributes that say something of its deployment.
    pub(crate) span: Option<Span>,
}

impl Marks {
    /// Takes ours off and leaves the others.
    pub(crate) fn take(attributes: &mut Vec<Attribute>) -> syn::Result<Self> {
        let mut marks = Self::default();
        let mut wrong: Option<Error> = None;
        attributes.retain(|attribute| match marks.take_one(attribute) {
            Ok(taken) => !taken,
            Err(error) => {
                match &mut wrong {
                    Some(wrong) => wrong.combine(error),
                    None => wrong = Some(error),
                }
                false
            }
        });
        wrong.map_or(Ok(marks), Err)
    }

    fn take_one(&mut self, attribute: &Attribute) -> syn::Result<bool> {
        let (path, span) = (attribute.path(), attribute.path().span());
        if path.is_ident("case") {
            self.case = true;
            return Ok(true);
        }
        if path.is_ident("on") {
            let names = parsed(
                attribute,
                "expected `#[on(a)]`, with the name of another argument",
                |input| {
                    let names = Punctuated::<Ident, Token![,]>::parse_terminated(input)?;
                    Ok(names.into_iter().collect())
                },
            )?;
            put(&mut self.on, names, "on", span)?;
        } else if path.is_ident("topology") {
            let form = "expected `#[topology(cluster(servers = 5))]`";
            let topologies = parsed(attribute, form, Topology::parse_all)?;
            put(&mut self.topologies, topologies, "topology", span)?;
        } else {
            return Ok(false);
        }
        self.span.get_or_insert(span);
        Ok(true)
    }
}

/// What stands in the parentheses of an attribute; something does.
fn parsed<T>(
    attribute: &Attribute,
    form: &str,
    parse: impl FnOnce(ParseStream<'_>) -> syn::Result<Vec<T>>,
) -> syn::Result<Vec<T>> {
    let Meta::List(list) = &attribute.meta else {
        return Err(Error::new_spanned(&attribute.meta, form));
    };
    let all = Parser::parse2(parse, list.tokens.clone())?;
    if all.is_empty() {
        return Err(Error::new_spanned(&attribute.meta, form));
    }
    Ok(all)
}

fn put<T>(place: &mut Vec<T>, said: Vec<T>, name: &str, span: Span) -> syn::Result<()> {
    if !place.is_empty() {
        return Err(twice(name, span));
    }
    *place = said;
    Ok(())
}
