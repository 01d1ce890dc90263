//! Parametrised tests: `cases(..)` gives values, `types(..)` gives types; each combination is a test.

use std::collections::BTreeSet;

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, Ident, Token, Type, parenthesized};

use super::options::Options;
use crate::parameters::Parameters;

/// `small(1)`: a name, and a value for each argument marked `#[case]`.
pub(super) struct Case {
    name: Ident,
    values: Vec<Expr>,
}

/// `a = A`: a name and a type.
pub(super) struct TypeCase {
    name: Ident,
    ty: Type,
}

/// One test that is made from the function.
pub(super) struct Variant<'a> {
    /// What follows the function's name.
    pub(super) name: Option<String>,
    pub(super) ty: Option<&'a Type>,
    pub(super) values: &'a [Expr],
}

/// The tests that are made from the function.
pub(super) fn variants<'a>(
    options: &'a Options,
    parameters: &Parameters,
    function: &Ident,
) -> syn::Result<Vec<Variant<'a>>> {
    if let (Some(span), None) = (parameters.cases.first(), &options.cases) {
        let message =
            "an argument marked `#[case]` needs `cases(name(value), ..)` in the test's attribute";
        return Err(Error::new(*span, message));
    }
    let cases = match &options.cases {
        None => vec![(None, &[][..])],
        Some(cases) => {
            if parameters.cases.is_empty() {
                let message = format!(
                    "mark the arguments that receive the values: `fn {function}(#[case] value: ..)`"
                );
                return Err(Error::new(cases.span, message));
            }
            check_names(cases.value.iter().map(|case| &case.name))?;
            for case in &cases.value {
                case.check(parameters.cases.len())?;
            }
            let named = cases
                .value
                .iter()
                .map(|case| (Some(&case.name), &case.values[..]));
            named.collect()
        }
    };
    let types = match &options.types {
        None => vec![(None, None)],
        Some(types) => {
            check_names(types.value.iter().map(|case| &case.name))?;
            let named = types
                .value
                .iter()
                .map(|case| (Some(&case.name), Some(&case.ty)));
            named.collect()
        }
    };
    let combinations = types.iter().flat_map(|&(type_name, ty)| {
        cases.iter().map(move |&(case_name, values)| {
            let names: Vec<String> = [type_name, case_name]
                .into_iter()
                .flatten()
                .map(|name| name.unraw().to_string())
                .collect();
            Variant {
                name: (!names.is_empty()).then(|| names.join("::")),
                ty,
                values,
            }
        })
    });
    Ok(combinations.collect())
}

fn check_names<'a>(names: impl Iterator<Item = &'a Ident>) -> syn::Result<()> {
    let mut known = BTreeSet::new();
    for name in names {
        if !known.insert(name.unraw().to_string()) {
            return Err(Error::new(name.span(), format!("duplicate case `{name}`")));
        }
    }
    Ok(())
}

impl Case {
    pub(super) fn parse_all(input: ParseStream<'_>) -> syn::Result<Vec<Self>> {
        parse_all(
            input,
            "expected a case with a name and values, such as `small(1)`",
        )
    }

    fn check(&self, arguments: usize) -> syn::Result<()> {
        if self.values.len() == arguments {
            return Ok(());
        }
        let message = format!(
            "the case has {}, but {} marked `#[case]`",
            counted(self.values.len(), "value"),
            if arguments == 1 {
                "1 argument is".into()
            } else {
                format!("{arguments} arguments are")
            },
        );
        Err(Error::new(self.name.span(), message))
    }
}

impl TypeCase {
    pub(super) fn parse_all(input: ParseStream<'_>) -> syn::Result<Vec<Self>> {
        parse_all(input, "expected a named type, such as `a = A`")
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn parse_all<T: Parse>(input: ParseStream<'_>, empty: &str) -> syn::Result<Vec<T>> {
    let content;
    let parentheses = parenthesized!(content in input);
    let all = Punctuated::<T, Token![,]>::parse_terminated(&content)?;
    if all.is_empty() {
        return Err(Error::new(parentheses.span.join().span(), empty));
    }
    Ok(all.into_iter().collect())
}

impl Parse for Case {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any).map_err(|error| {
            Error::new(
                error.span(),
                "expected a case with a name and values, such as `small(1)`",
            )
        })?;
        let mut values = Vec::new();
        if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            let all = Punctuated::<Expr, Token![,]>::parse_terminated(&content)?;
            values = all.into_iter().collect();
        }
        Ok(Self { name, values })
    }
}

impl Parse for TypeCase {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let form = "expected a named type, such as `a = A`";
        let name = input
            .call(Ident::parse_any)
            .map_err(|error| Error::new(error.span(), form))?;
        input
            .parse::<Token![=]>()
            .map_err(|error| Error::new(error.span(), form))?;
        Ok(Self {
            name,
            ty: input.parse()?,
        })
    }
}
