//! `#[armadillo::fixture]`: the type a function returns becomes a fixture.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Error, GenericArgument, Ident, ItemFn, LitStr, Path, PathArguments, ReturnType, Token, Type,
};

use crate::parameters::Parameters;
use crate::test::markers::{self, Marker};

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut function: ItemFn = match syn::parse2(item) {
        Ok(function) => function,
        Err(error) => {
            return Error::new(
                error.span(),
                "expected a function: `fixture` can only be applied to functions",
            )
            .to_compile_error();
        }
    };
    let implementation = implementation(options, &mut function);
    let implementation = implementation.unwrap_or_else(|error| error.to_compile_error());
    quote!(#function #implementation)
}

fn implementation(options: TokenStream, function: &mut ItemFn) -> syn::Result<TokenStream> {
    let options: Options = syn::parse2(options)?;
    let signature = &mut function.sig;
    if !signature.generics.params.is_empty() {
        let message =
            "a fixture function cannot be generic: implement `Fixture` for the generic type";
        return Err(Error::new_spanned(&signature.generics, message));
    }
    let parameters = Parameters::take(signature)?;
    if let Some(span) = parameters.cases.first() {
        return Err(Error::new(
            *span,
            "`#[case]` is only allowed on arguments of tests, not of fixtures",
        ));
    }
    let (fixture, fallible) = returned(signature)?;
    let (name, inputs, pattern) = (&signature.ident, parameters.inputs(), parameters.pattern());
    let (arguments, needs) = (parameters.arguments(&[]), parameters.needs());
    let mut made = quote_spanned!(fixture.span()=> #name(#arguments));
    if signature.asyncness.is_some() {
        made = quote_spanned!(fixture.span()=> #made.await);
    }
    if fallible {
        made = quote_spanned!(fixture.span()=> ::armadillo::__private::made(#made));
    } else {
        made = quote_spanned!(fixture.span()=> ::core::result::Result::Ok(#made));
    }
    let markers = options.markers.map(|markers| {
        quote! {
            const MARKERS: &'static [&'static str] = &[#(#markers),*];
        }
    });
    let scope = Ident::new(options.scope.unwrap_or("test"), fixture.span());
    let teardown = options.teardown.map(|path| {
        let done = quote_spanned!(path.span()=> ::armadillo::__private::IntoTornDown::into_torn_down(#path(self).await));
        quote! {
            async fn teardown(&self) -> ::core::result::Result<(), ::armadillo::__private::TestError> {
                #done
            }
        }
    });
    let implemented = quote_spanned! {fixture.span()=>
        impl ::armadillo::__private::Fixture for #fixture
    };
    let kept = quote_spanned!(fixture.span()=> ::armadillo::__private::Scope::#scope());
    Ok(quote! {
        #implemented {
            type From = #inputs;
            const NEEDS: ::armadillo::__private::Needs = #needs;
            const SCOPE: ::armadillo::__private::Scope<Self> = #kept;
            #markers
            async fn setup(
                _: &::armadillo::__private::TestContext,
                #pattern: Self::From,
            ) -> ::core::result::Result<Self, ::armadillo::__private::TestError> {
                #made
            }
            #teardown
        }
    })
}

/// The fixture in the return type, and whether it comes in a `Result`.
fn returned(signature: &syn::Signature) -> syn::Result<(Type, bool)> {
    let ReturnType::Type(_, ty) = &signature.output else {
        let message = "a fixture function must return the fixture or a `Result` with it";
        return Err(Error::new_spanned(&signature.ident, message));
    };
    if let Type::Path(path) = &**ty
        && let Some(last) = path.path.segments.last()
        && last.ident.to_string().ends_with("Result")
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(GenericArgument::Type(fixture)) = arguments.args.first()
    {
        return Ok((fixture.clone(), true));
    }
    Ok(((**ty).clone(), false))
}

struct Options {
    /// The name of the constructor of the scope.
    scope: Option<&'static str>,
    teardown: Option<Path>,
    markers: Option<Vec<String>>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self {
            scope: None,
            teardown: None,
            markers: None,
        };
        while !input.is_empty() {
            let name = input.call(Ident::parse_any)?;
            let text = name.to_string();
            if matches!(text.as_str(), "per" | "teardown") {
                input.parse::<Token![=]>()?;
            }
            let twice = match text.as_str() {
                "per" => options.scope.replace(scope(&input.parse()?)?).is_some(),
                "teardown" => options.teardown.replace(input.parse()?).is_some(),
                "markers" => {
                    let markers = markers::parse(input)?;
                    let names = markers
                        .iter()
                        .map(Marker::bare)
                        .collect::<syn::Result<_>>()?;
                    options.markers.replace(names).is_some()
                }
                _ => {
                    let message = format!(
                        "unknown option `{name}`; valid options are `per = \"test\" | \"worker\" | \"deployment\"`, `teardown = path` and `markers(slow)`"
                    );
                    return Err(Error::new(name.span(), message));
                }
            };
            if twice {
                return Err(Error::new(name.span(), format!("`{name}` is set twice")));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

/// The name of the constructor of the scope.
fn scope(per: &LitStr) -> syn::Result<&'static str> {
    match per.value().as_str() {
        "test" => Ok("test"),
        "worker" => Ok("worker"),
        "deployment" => Ok("deployment"),
        _ => Err(Error::new(
            per.span(),
            "expected \"test\", \"worker\" or \"deployment\"",
        )),
    }
}
