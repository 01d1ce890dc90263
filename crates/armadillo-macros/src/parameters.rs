//! The parameters of a test or fixture function: fixtures by type, and values of cases.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, Signature, Type};

/// The most fixtures a function can take.
const MOST: usize = 8;

/// The parameters of a function, understood.
pub(crate) struct Parameters {
    fixtures: Vec<(Ident, Type)>,
    arguments: Vec<Argument>,
    /// The spans of the parameters marked `#[case]`.
    pub(crate) cases: Vec<Span>,
}

/// What is passed for a parameter.
enum Argument {
    Reference(Ident, Span),
    Clone(Ident, Span),
    /// The n-th value of the case.
    Case(usize),
}

impl Parameters {
    /// Reads the parameters of `signature` and takes the marks `#[case]` off them.
    pub(crate) fn take(signature: &mut Signature) -> syn::Result<Self> {
        let mut parameters = Self {
            fixtures: Vec::new(),
            arguments: Vec::new(),
            cases: Vec::new(),
        };
        for input in &mut signature.inputs {
            let FnArg::Typed(parameter) = input else {
                return Err(Error::new_spanned(
                    input,
                    "tests and fixtures are free functions: no `self`",
                ));
            };
            let marks = parameter.attrs.len();
            parameter.attrs.retain(|attr| !attr.path().is_ident("case"));
            if parameter.attrs.len() < marks {
                parameters
                    .arguments
                    .push(Argument::Case(parameters.cases.len()));
                parameters.cases.push(parameter.span());
            } else {
                parameters.push_fixture(&parameter.ty)?;
            }
        }
        if let Some((_, ty)) = parameters.fixtures.get(MOST) {
            let message = "at most eight fixtures; make one fixture from several others";
            return Err(Error::new_spanned(ty, message));
        }
        Ok(parameters)
    }

    fn push_fixture(&mut self, ty: &Type) -> syn::Result<()> {
        let span = ty.span();
        // With the span of the type: rustc reports there what is wrong with it.
        let name = format_ident!("__fixture_{}", self.fixtures.len(), span = span);
        let (ty, argument) = match ty {
            Type::Reference(reference) if reference.mutability.is_some() => {
                let message = "fixtures are shared: take `&T` or `T`, not `&mut T`";
                return Err(Error::new_spanned(ty, message));
            }
            Type::Reference(reference) => {
                (&*reference.elem, Argument::Reference(name.clone(), span))
            }
            Type::ImplTrait(_) => {
                let message = "fixtures are found by type: name it, or write a generic function with `types(..)`";
                return Err(Error::new_spanned(ty, message));
            }
            ty => (ty, Argument::Clone(name.clone(), span)),
        };
        self.fixtures.push((name, ty.clone()));
        self.arguments.push(argument);
        Ok(())
    }

    /// Whether there is no fixture.
    pub(crate) fn no_fixtures(&self) -> bool {
        self.fixtures.is_empty()
    }

    /// The tuple type of the fixtures: `(Arc<A>, Arc<B>,)`.
    pub(crate) fn inputs(&self) -> TokenStream {
        let types = self
            .fixtures
            .iter()
            .map(|(_, ty)| quote_spanned!(ty.span()=> ::armadillo::__private::Arc<#ty>));
        let first = self.fixtures.first();
        let span = first.map_or_else(Span::call_site, |(_, ty)| ty.span());
        quote_spanned!(span=> (#(#types,)*))
    }

    /// What the fixtures need together, each asked at the place of its type.
    pub(crate) fn needs(&self) -> TokenStream {
        let nothing = quote!(::armadillo::__private::Needs::NOTHING);
        self.fixtures.iter().fold(nothing, |needs, (_, ty)| {
            let span = ty.span();
            let with = quote_spanned!(span=> ::armadillo::__private::needs_with::<#ty>(#needs));
            possible(&with, span)
        })
    }

    /// The tuple pattern that binds them.
    pub(crate) fn pattern(&self) -> TokenStream {
        let names = self.fixtures.iter().map(|(name, _)| name);
        quote!((#(#names,)*))
    }

    /// What is passed to the function; `values` are those of the case.
    pub(crate) fn arguments(&self, values: &[syn::Expr]) -> TokenStream {
        let arguments = self.arguments.iter().map(|argument| match argument {
            Argument::Reference(name, span) => quote_spanned!(*span=> &*#name),
            Argument::Clone(name, span) => {
                quote_spanned!(*span=> ::armadillo::__private::by_value(&*#name))
            }
            Argument::Case(index) => match values.get(*index) {
                Some(value) => quote!(#value),
                None => quote!(),
            },
        });
        quote!(#(#arguments),*)
    }
}

/// The needs that a constant function found possible, or a compile error at `span` that says why they are not.
pub(crate) fn possible(needs: &TokenStream, span: Span) -> TokenStream {
    quote_spanned! {span=>
        match #needs {
            ::core::result::Result::Ok(needs) => needs,
            ::core::result::Result::Err(why) => ::core::panic!("{}", why),
        }
    }
}
