//! The standard attributes of tests, written below ours: `#[ignore]`, `#[should_panic]`; and those that cannot be there.

use syn::{Attribute, Error, Expr, ExprLit, Lit, LitStr, Meta};

use super::options::Said;

/// What they say.
#[derive(Default)]
pub(super) struct Standard {
    pub(super) ignore: Option<Said<String>>,
    pub(super) should_panic: Option<Said<Option<String>>>,
}

/// Takes the standard attributes off the function.
pub(super) fn take(attributes: &mut Vec<Attribute>) -> syn::Result<Standard> {
    let mut standard = Standard::default();
    let mut wrong: Option<Error> = None;
    attributes.retain(|attribute| match take_one(attribute, &mut standard) {
        Ok(taken) => !taken,
        Err(error) => {
            match &mut wrong {
                Some(wrong) => wrong.combine(error),
                None => wrong = Some(error),
            }
            false
        }
    });
    wrong.map_or(Ok(standard), Err)
}

fn take_one(attribute: &Attribute, standard: &mut Standard) -> syn::Result<bool> {
    use syn::spanned::Spanned;
    let (path, span) = (attribute.path(), attribute.path().span());
    if path.is_ident("ignore") {
        let value = match &attribute.meta {
            Meta::NameValue(pair) => text(&pair.value)?,
            _ => String::new(),
        };
        standard.ignore = Some(Said { span, value });
        Ok(true)
    } else if path.is_ident("should_panic") {
        let value = match &attribute.meta {
            Meta::Path(_) => None,
            Meta::NameValue(pair) => Some(text(&pair.value)?),
            Meta::List(list) => {
                let mut expected = None;
                list.parse_nested_meta(|meta| {
                    if !meta.path.is_ident("expected") {
                        return Err(meta.error("expected `#[should_panic(expected = \"text\")]`"));
                    }
                    expected = Some(meta.value()?.parse::<LitStr>()?.value());
                    Ok(())
                })?;
                expected
            }
        };
        standard.should_panic = Some(Said { span, value });
        Ok(true)
    } else if path
        .segments
        .last()
        .is_some_and(|last| last.ident == "test")
    {
        Err(Error::new(
            span,
            "the function already is a test: remove this attribute; Armadillo provides the runtime",
        ))
    } else {
        Ok(false)
    }
}

fn text(value: &Expr) -> syn::Result<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Ok(text.value()),
        other => Err(Error::new_spanned(other, "expected a string literal")),
    }
}
