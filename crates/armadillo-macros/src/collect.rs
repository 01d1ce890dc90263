//! `#[armadillo::collect]`: a function becomes a hook that sees each test when it is collected.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ItemFn};

pub(crate) fn expand(options: &TokenStream, item: TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(item) {
        Ok(function) => function,
        Err(error) => {
            let message = "expected a function: `collect` can only be applied to functions";
            return Error::new(error.span(), message).to_compile_error();
        }
    };
    let registration = registration(options, &function);
    let registration = registration.unwrap_or_else(|error| error.to_compile_error());
    quote!(#function #registration)
}

fn registration(options: &TokenStream, function: &ItemFn) -> syn::Result<TokenStream> {
    if !options.is_empty() {
        return Err(Error::new_spanned(options, "`collect` has no options"));
    }
    let signature = &function.sig;
    if signature.asyncness.is_some() {
        let message = "a hook cannot be `async`: tests are collected before there is a runtime";
        return Err(Error::new_spanned(signature.asyncness, message));
    }
    let name = &signature.ident;
    let text = name.to_string();
    let text = text.strip_prefix("r#").unwrap_or(&text);
    let line = u32::try_from(name.span().unwrap().line()).unwrap_or(0);
    // What is wrong with the signature is reported there.
    let run = quote_spanned!(signature.span()=> #name);
    Ok(quote! {
        const _: () = {
            ::armadillo::__private::inventory::submit! {
                ::armadillo::__private::CollectHook {
                    module: ::core::module_path!(),
                    function: #text,
                    file: ::core::file!(),
                    line: #line,
                    run: #run,
                }
            }
        };
    })
}
