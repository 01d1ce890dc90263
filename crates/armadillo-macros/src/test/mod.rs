//! `#[armadillo::test]`: a function becomes a registered test, one for each of its cases.

mod cases;
mod checkers;
mod duration;
pub(crate) mod markers;
pub(crate) mod options;
mod requires;
mod standard;
mod xfail;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, GenericParam, Ident, ItemFn, ReturnType, Safety};

use crate::parameters::{Parameters, possible};
use cases::Variant;
use options::Options;

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut function: ItemFn = match syn::parse2(item) {
        Ok(function) => function,
        Err(error) => {
            return Error::new(
                error.span(),
                "expected a function: `test` can only be applied to functions",
            )
            .to_compile_error();
        }
    };
    let registrations = registrations(options, &mut function);
    let registrations = registrations.unwrap_or_else(|error| error.to_compile_error());
    // The author's function stays as it is: its name in snapshots and stack traces, and where an editor jumps to.
    quote!(#function #registrations)
}

fn registrations(options: TokenStream, function: &mut ItemFn) -> syn::Result<TokenStream> {
    // The marks of parameters come off even if something else is wrong, or rustc would complain about them, too.
    let parameters = Parameters::take(&mut function.sig);
    let standard = standard::take(&mut function.attrs);
    let options = Options::parse(options)?.with(standard?)?;
    let parameters = parameters?;
    check_signature(function)?;
    let type_parameter = type_parameter(function, &options)?;
    let variants = cases::variants(&options, &parameters, &function.sig.ident)?;
    let registrations = variants
        .iter()
        .map(|variant| registration(function, &options, &parameters, type_parameter, variant));
    Ok(quote!(#(#registrations)*))
}

fn check_signature(function: &ItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    let refuse = |tokens: &dyn quote::ToTokens, message: &str| {
        Err(Error::new_spanned(tokens.to_token_stream(), message))
    };
    if let Some(abi) = &signature.abi {
        return refuse(abi, "a test cannot be `extern`");
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        return refuse(unsafety, "a test cannot be `unsafe`");
    }
    if let Some(variadic) = &signature.variadic {
        return refuse(variadic, "a test cannot be variadic");
    }
    Ok(())
}

/// The name of the type parameter of a generic test.
fn type_parameter<'a>(function: &'a ItemFn, options: &Options) -> syn::Result<Option<&'a Ident>> {
    let parameters = &function.sig.generics.params;
    match (parameters.first(), &options.types) {
        (None, None) => Ok(None),
        (None, Some(types)) => {
            let message = "`types(..)` needs a function with exactly one type parameter";
            Err(Error::new(types.span, message))
        }
        (Some(GenericParam::Type(parameter)), Some(_)) if parameters.len() == 1 => {
            Ok(Some(&parameter.ident))
        }
        (Some(_), Some(_)) => Err(Error::new_spanned(
            parameters,
            "a test can have only one type parameter and no other generic parameters",
        )),
        (Some(_), None) => Err(Error::new_spanned(
            parameters,
            "a generic test needs types to run with: add `types(name = Type, ..)` to its attribute",
        )),
    }
}

fn registration(
    function: &ItemFn,
    options: &Options,
    parameters: &Parameters,
    type_parameter: Option<&Ident>,
    variant: &Variant<'_>,
) -> TokenStream {
    let name = &function.sig.ident;
    let text = name.to_string();
    let text = text.strip_prefix("r#").unwrap_or(&text);
    let line = u32::try_from(name.span().unwrap().line()).unwrap_or(0);
    let case = optional(variant.name.as_ref().map(|name| quote!(#name)));
    let alias = type_parameter
        .zip(variant.ty)
        .map(|(parameter, ty)| quote!(type #parameter = #ty;));
    let markers = options.markers.iter().map(markers::Marker::tokens);
    let needed = !parameters.no_fixtures() || !options.topologies.is_empty();
    let constants = needed.then(|| constants(options, parameters));
    let list = if needed {
        quote!(&__DEPLOYMENTS)
    } else {
        quote!(&[])
    };
    let labels = if needed {
        quote!(&__MARKERS)
    } else {
        quote!(&[])
    };
    let fixtures = if needed {
        quote!(__FIXTURES)
    } else {
        quote!(|_| {})
    };
    let checkers = options.checkers.iter().flat_map(|said| &said.value);
    let checkers = checkers.map(checkers::Policy::tokens);
    let requires = options.requires.iter().flat_map(|said| &said.value);
    let requires = requires.map(requires::Requirement::tokens);
    let timeout = optional(options.timeout.as_ref().map(|timeout| {
        let millis = timeout.value;
        quote!(::core::time::Duration::from_millis(#millis))
    }));
    let retries = optional(options.retries.as_ref().map(|retries| {
        let retries = retries.value;
        quote!(#retries)
    }));
    let isolated = options.isolated.is_some();
    let ignore = optional(options.ignore.as_ref().map(|ignore| {
        let reason = &ignore.value;
        quote!(#reason)
    }));
    let should_panic = match options.should_panic.as_ref().map(|panic| &panic.value) {
        None => quote!(No),
        Some(None) => quote!(Yes),
        Some(Some(text)) => quote!(With(#text)),
    };
    let xfail = optional((options.xfail.as_ref()).map(|xfail| xfail.value.tokens()));
    let run = run(function, parameters, type_parameter, variant);
    quote! {
        const _: () = {
            #alias
            #constants
            ::armadillo::__private::inventory::submit! {
                ::armadillo::__private::TestDef {
                    package: ::core::env!("CARGO_PKG_NAME"),
                    directory: ::core::env!("CARGO_MANIFEST_DIR"),
                    module: ::core::module_path!(),
                    function: #text,
                    case: #case,
                    file: ::core::file!(),
                    line: #line,
                    markers: &[#(#markers),*],
                    fixture_markers: #labels,
                    fixtures: #fixtures,
                    needs: #list,
                    checkers: &[#(#checkers),*],
                    requires: &[#(#requires),*],
                    timeout: #timeout,
                    retries: #retries,
                    isolated: #isolated,
                    ignore: #ignore,
                    should_panic: ::armadillo::__private::ShouldPanic::#should_panic,
                    xfail: #xfail,
                    run: #run,
                }
            }
        };
    }
}

fn optional(tokens: Option<TokenStream>) -> TokenStream {
    match tokens {
        Some(tokens) => quote!(::core::option::Option::Some(#tokens)),
        None => quote!(::core::option::Option::None),
    }
}

/// The needs, evaluated once; what is kept of them for the time of the run is no longer than it must be. The fixtures are
/// asked for here, and not again where they are set up, so that what is wrong with one is said once.
fn constants(options: &Options, parameters: &Parameters) -> TokenStream {
    let (needs, inputs) = (needs(options, parameters), parameters.inputs());
    let private = quote!(::armadillo::__private);
    quote! {
        const __NEEDS: (#private::Needs, (#private::SetUp<#inputs>, #private::Labels, #private::Types)) = {
            let needs = #needs;
            (needs, #private::set_up::<#inputs>(&needs))
        };
        const __DEPLOYMENTS: [#private::StaticNeed; __NEEDS.0.count()] = __NEEDS.0.list();
        const __SET_UP: #private::SetUp<#inputs> = __NEEDS.1.0;
        const __FIXTURES: #private::Types = __NEEDS.1.2;
        const __MARKERS: [&str; __NEEDS.1.1.count()] = __NEEDS.1.1.list();
    }
}

/// What the test needs, with the topologies of its attribute.
fn needs(options: &Options, parameters: &Parameters) -> TokenStream {
    let mut needs = parameters.needs();
    for topology in &options.topologies {
        let (builder, span) = (topology.builder(), topology.span());
        let refined =
            quote_spanned!(span=> ::armadillo::__private::Needs::refine(#needs, #builder));
        needs = possible(&refined, span);
    }
    let marked = !options.markers.is_empty();
    let whole = quote!(::armadillo::__private::Needs::of_test(#needs, #marked));
    possible(&whole, Span::call_site())
}

/// The closure that is the test: it fetches the fixtures and hands the boxed body over. Nothing of the runtime is
/// instantiated here.
fn run(
    function: &ItemFn,
    parameters: &Parameters,
    type_parameter: Option<&Ident>,
    variant: &Variant<'_>,
) -> TokenStream {
    let name = &function.sig.ident;
    let turbofish = type_parameter.map(|parameter| quote!(::<#parameter>));
    let arguments = parameters.arguments(variant.values);
    let fixtures = (!parameters.no_fixtures()).then(|| {
        let pattern = parameters.pattern();
        quote! {
            let #pattern = match run.set_up(&__SET_UP) {
                ::core::result::Result::Ok(fixtures) => fixtures,
                ::core::result::Result::Err(outcome) => return outcome,
            };
        }
    });
    let span = match &function.sig.output {
        ReturnType::Default => Span::call_site(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let outcome = |returned: TokenStream| {
        // An error that has a chain of sources is shown by its chain: method resolution decides.
        let way = quote_spanned!(span=> (&returned).way().outcome(returned));
        quote! {
            #[allow(unused_imports, clippy::let_unit_value)]
            {
                use ::armadillo::__private::returned::{HasChain as _, HasDebug as _, HasPlace as _};
                let returned = #returned;
                #way
            }
        }
    };
    let body = if function.sig.asyncness.is_some() {
        let outcome = outcome(quote!(#name #turbofish(#arguments).await));
        quote!(run.body_async(::std::boxed::Box::pin(async move { #outcome })))
    } else {
        let outcome = outcome(quote!(#name #turbofish(#arguments)));
        quote!(run.body(move || { #outcome }))
    };
    quote!(|run| { #fixtures #body })
}
