//! The parameters of a test or fixture function: fixtures by type, and values of cases.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, FnArg, Pat, Signature, Type};

use crate::marks::Marks;

/// The most fixtures a function can take.
const MOST: usize = 8;

/// The parameters of a function, understood.
pub(crate) struct Parameters {
    fixtures: Vec<Fixture>,
    arguments: Vec<Argument>,
    /// The spans of the parameters marked `#[case]`.
    pub(crate) cases: Vec<Span>,
}

/// A parameter that is a fixture.
struct Fixture {
    /// The variable that it is bound to.
    variable: Ident,
    /// What the function calls it.
    name: String,
    ty: Type,
    marks: Marks,
    /// The indices of the fixtures it is said to be on.
    on: Vec<usize>,
}

/// What is passed for a parameter.
enum Argument {
    Reference(Ident, Span),
    Clone(Ident, Span),
    /// The n-th value of the case.
    Case(usize),
}

impl Parameters {
    /// Reads the parameters of `signature` and takes our attributes off them.
    pub(crate) fn take(signature: &mut Signature) -> syn::Result<Self> {
        let mut parameters = Self {
            fixtures: Vec::new(),
            arguments: Vec::new(),
            cases: Vec::new(),
        };
        let mut wrong: Option<Error> = None;
        for input in &mut signature.inputs {
            // The attributes come off all of them even if something is wrong, or rustc would complain about them, too.
            let Err(error) = parameters.take_one(input) else {
                continue;
            };
            match &mut wrong {
                Some(wrong) => wrong.combine(error),
                None => wrong = Some(error),
            }
        }
        if let Some(error) = wrong {
            return Err(error);
        }
        if let Some(Fixture { ty, .. }) = parameters.fixtures.get(MOST) {
            let message = "at most eight fixtures are allowed; combine several into one fixture";
            return Err(Error::new_spanned(ty, message));
        }
        parameters.find_others()?;
        Ok(parameters)
    }

    fn take_one(&mut self, input: &mut FnArg) -> syn::Result<()> {
        let FnArg::Typed(parameter) = input else {
            return Err(Error::new_spanned(
                input,
                "tests and fixtures must be free functions without `self`",
            ));
        };
        let marks = Marks::take(&mut parameter.attrs)?;
        if !marks.case {
            return self.push_fixture(&parameter.pat, &parameter.ty, marks);
        }
        if let Some(span) = marks.span {
            let message = "an argument marked `#[case]` is a value and cannot select a deployment";
            return Err(Error::new(span, message));
        }
        self.arguments.push(Argument::Case(self.cases.len()));
        self.cases.push(parameter.span());
        Ok(())
    }

    fn push_fixture(&mut self, pattern: &Pat, ty: &Type, marks: Marks) -> syn::Result<()> {
        let span = ty.span();
        // With the span of the type: rustc reports there what is wrong with it.
        let variable = format_ident!("__fixture_{}", self.fixtures.len(), span = span);
        let (ty, argument) = match ty {
            Type::Reference(reference) if reference.mutability.is_some() => {
                let message = "fixtures are shared: take `&T` or `T`, not `&mut T`";
                return Err(Error::new_spanned(ty, message));
            }
            Type::Reference(reference) => (
                &*reference.elem,
                Argument::Reference(variable.clone(), span),
            ),
            Type::ImplTrait(_) => {
                let message = "fixtures are found by type: name the type, or write a generic function with `types(..)`";
                return Err(Error::new_spanned(ty, message));
            }
            ty => (ty, Argument::Clone(variable.clone(), span)),
        };
        let name = match pattern {
            Pat::Ident(pattern) => pattern.ident.unraw().to_string(),
            _ => "_".to_owned(),
        };
        self.fixtures.push(Fixture {
            variable,
            name,
            ty: ty.clone(),
            marks,
            on: Vec::new(),
        });
        self.arguments.push(argument);
        Ok(())
    }

    /// Finds the arguments that others are said to be on.
    fn find_others(&mut self) -> syn::Result<()> {
        for index in 0..self.fixtures.len() {
            let names = self.fixtures[index].marks.on.iter();
            let on: syn::Result<Vec<usize>> = names.map(|name| self.other(index, name)).collect();
            self.fixtures[index].on = on?;
        }
        Ok(())
    }

    fn other(&self, index: usize, name: &Ident) -> syn::Result<usize> {
        let refuse = |message: String| Err(Error::new(name.span(), message));
        let wanted = name.unraw().to_string();
        let mut all = self.fixtures.iter();
        let Some(other) = all.position(|fixture| fixture.name == wanted) else {
            return refuse(format!("no argument is named `{wanted}`"));
        };
        if other == index {
            return refuse("an argument cannot be `on` itself; name another argument".to_owned());
        }
        match &self.fixtures[other].marks.on[..] {
            [] => Ok(other),
            [first, ..] => refuse(format!(
                "`{wanted}` itself uses the deployment of another argument: write `#[on({first})]`"
            )),
        }
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
            .map(|Fixture { ty, .. }| quote_spanned!(ty.span()=> ::armadillo::__private::Arc<#ty>));
        let first = self.fixtures.first();
        let span = first.map_or_else(Span::call_site, |fixture| fixture.ty.span());
        quote_spanned!(span=> (#(#types,)*))
    }

    /// What the fixtures need together, each asked at the place of its type.
    pub(crate) fn needs(&self) -> TokenStream {
        if self.no_fixtures() {
            return quote!(::armadillo::__private::Needs::NOTHING);
        }
        let arguments = self.fixtures.iter().map(Fixture::argument);
        let names = self.fixtures.iter().map(|fixture| &fixture.name);
        let complaints = self.fixtures.iter().enumerate().map(|(index, fixture)| {
            let span = fixture.marks.span.unwrap_or_else(|| fixture.ty.span());
            quote_spanned! {span=>
                if let ::core::option::Option::Some(why) = __joined.complaint(#index, __NAMES) {
                    ::core::panic!("{}", why.as_str())
                }
            }
        });
        quote! {{
            const __NAMES: &[&str] = &[#(#names),*];
            let __joined = ::armadillo::__private::join(&[#(#arguments),*]);
            #(#complaints)*
            __joined.needs()
        }}
    }

    /// The tuple pattern that binds them.
    pub(crate) fn pattern(&self) -> TokenStream {
        let variables = self.fixtures.iter().map(|fixture| &fixture.variable);
        quote!((#(#variables,)*))
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

impl Fixture {
    /// The fixture as one of the arguments that deployments are found for.
    fn argument(&self) -> TokenStream {
        let (ty, span) = (&self.ty, self.ty.span());
        let argument = quote_spanned!(span=> ::armadillo::__private::argument::<#ty>());
        let mut argument = possible(&argument, span);
        for topology in &self.marks.topologies {
            let (builder, span) = (topology.builder(), topology.span());
            let said = quote_spanned!(span=> #argument.topology(#builder));
            argument = possible(&said, span);
        }
        let on = &self.on;
        if on.is_empty() {
            argument
        } else {
            quote!(#argument.on(&[#(#on),*]))
        }
    }
}

/// What a constant function found possible, or a compile error at `span` that says why it is not.
pub(crate) fn possible(what: &TokenStream, span: Span) -> TokenStream {
    quote_spanned! {span=>
        match #what {
            ::core::result::Result::Ok(possible) => possible,
            ::core::result::Result::Err(why) => ::core::panic!("{}", why),
        }
    }
}
