//! Reading a shape as the tables write it.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use crate::shape::{Fields, Shape};

/// The shapes that have names, for `@name`.
pub(crate) type Named = BTreeMap<String, Shape>;

/// Reads a shape.
pub(crate) fn shape(text: &str, named: &Named) -> Result<Shape, String> {
    let mut reader = Reader { rest: text, named };
    let shape = reader.shape()?;
    match reader.rest.trim() {
        "" => Ok(shape),
        rest => Err(format!("{rest:?} is left over of {text:?}")),
    }
}

struct Reader<'a> {
    rest: &'a str,
    named: &'a Named,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        match self.skip(token) {
            true => Ok(()),
            false => Err(format!("{token:?} expected at {:?}", self.rest)),
        }
    }

    /// A word: letters, digits and what names may have.
    fn word(&mut self) -> Result<&'a str, String> {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|letter: char| !(letter.is_alphanumeric() || "_-.".contains(letter)));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if word.is_empty() {
            return Err(format!("a word expected at {:?}", self.rest));
        }
        self.rest = rest;
        Ok(word)
    }

    /// A text in double quotes, without escapes.
    fn quoted(&mut self) -> Result<&'a str, String> {
        self.expect("\"")?;
        let (text, rest) = self.rest.split_once('"').ok_or("a quote is not closed")?;
        self.rest = rest;
        Ok(text)
    }

    fn named(&mut self) -> Result<Shape, String> {
        let name = self.word()?;
        let found = self.named.get(name);
        found
            .cloned()
            .ok_or_else(|| format!("there is no shape {name}"))
    }

    fn shape(&mut self) -> Result<Shape, String> {
        let mut alternatives = vec![self.single()?];
        while self.skip("|") {
            alternatives.push(self.single()?);
        }
        Ok(match alternatives.len() {
            1 => alternatives.remove(0),
            _ => Shape::OneOf(alternatives),
        })
    }

    fn single(&mut self) -> Result<Shape, String> {
        if self.skip("[") {
            let element = self.shape()?;
            self.expect("]")?;
            return Ok(Shape::List(Rc::new(element)));
        }
        if self.skip("{*:") {
            let element = self.shape()?;
            self.expect("}")?;
            return Ok(Shape::Map(Rc::new(element)));
        }
        if self.skip("{") {
            return Ok(Shape::Object(self.fields()?));
        }
        if self.skip("@") {
            return self.named();
        }
        if self.rest.starts_with('"') {
            return Ok(Shape::Exactly(Value::from(self.quoted()?)));
        }
        let word = self.word()?;
        Ok(match word {
            "any" => Shape::Any,
            "null" => Shape::Null,
            "bool" => Shape::Bool,
            "int" => Shape::Int,
            "number" => Shape::Number,
            "string" => Shape::Text,
            other => Shape::Exactly(
                serde_json::from_str(other).map_err(|_| format!("{other:?} is no type"))?,
            ),
        })
    }

    fn fields(&mut self) -> Result<Fields, String> {
        let mut fields = Fields::default();
        while !self.skip("}") {
            if self.skip("...") {
                fields.open = true;
            } else if self.skip("@") {
                let Shape::Object(base) = self.named()? else {
                    return Err("only an object can be taken over into an object".to_owned());
                };
                fields.known.extend(base.known);
                fields.open |= base.open;
            } else {
                self.rest = self.rest.trim_start();
                let name = match self.rest.starts_with('"') {
                    true => self.quoted()?,
                    false => self.word()?,
                };
                let optional = self.skip("?");
                self.expect(":")?;
                let shape = self.shape()?;
                fields.known.insert(name.to_owned(), (optional, shape));
            }
            if !self.skip(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(fields)
    }
}
