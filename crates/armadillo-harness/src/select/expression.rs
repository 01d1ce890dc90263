//! Expressions: what they are, how they are written, what they say of a test.

use std::fmt;
use std::ops::Range;

use armadillo_orchestrator::closest::closest;

use super::error::{ExpressionError, in_short};
use super::lexer::is_word_char;
use super::parser::parse;
use crate::test_def::MarkerUse;

/// What the words of an expression stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `-m`: a marker, with arguments or without.
    Markers,
    /// `-k`: a part of a test's name, whatever the case of its letters.
    Keywords,
}

/// A parsed `-m` or `-k` expression. It keeps its text.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    root: Node,
}

/// A part of an expression. `and` and `or` hold two parts or more: `a and b and c` is one `And` of three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Any part holds.
    Or(Vec<Node>),
    /// Every part holds.
    And(Vec<Node>),
    /// The part does not hold.
    Not(Box<Node>),
    /// A word.
    Term(Term),
}

/// A word of an expression.
#[derive(Clone, Debug)]
pub struct Term {
    /// The word, without quotes.
    pub word: String,
    /// The arguments in parentheses after it; empty without any.
    pub args: Vec<String>,
    /// Where it stands, in bytes of the expression.
    pub place: Range<usize>,
}

/// What has markers.
pub trait Marked {
    /// Whether it has a marker of this name with all of these arguments.
    fn carries(&self, name: &str, args: &[String]) -> bool;
}

impl Marked for [MarkerUse] {
    fn carries(&self, name: &str, args: &[String]) -> bool {
        self.iter().any(|marker| {
            marker.name == name && (args.iter()).all(|arg| marker.args.contains(&arg.as_str()))
        })
    }
}

/// Terms are equal when they say the same, wherever they stand.
impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word && self.args == other.args
    }
}

impl Eq for Term {}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it is empty or makes no sense, with the place.
    pub fn parse(text: &str, language: Language) -> Result<Self, ExpressionError> {
        Ok(Self {
            text: text.to_owned(),
            root: parse(text, language)?,
        })
    }

    /// The text it was read from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its outermost part.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Whether it holds, when `term` says whether a word does.
    pub fn holds(&self, term: &mut dyn FnMut(&Term) -> bool) -> bool {
        self.root.holds(term)
    }

    /// Whether it holds for a test of this name.
    #[must_use]
    pub fn matches_name(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.holds(&mut |term| name.contains(&term.word.to_lowercase()))
    }

    /// Whether it holds for a test with these markers. A word with arguments wants a marker that has all of them.
    #[must_use]
    pub fn matches_markers(&self, marked: &(impl Marked + ?Sized)) -> bool {
        self.holds(&mut |term| marked.carries(&term.word, &term.args))
    }

    /// Whether every word is a declared marker.
    ///
    /// # Errors
    /// The first that is not, with the marker that was probably meant.
    pub fn check_declared(&self, declared: &[&str]) -> Result<(), ExpressionError> {
        let mut unknown = None;
        self.root.visit(&mut |term| {
            if unknown.is_none() && !declared.contains(&term.word.as_str()) {
                unknown = Some(term.clone());
            }
        });
        let Some(term) = unknown else { return Ok(()) };
        let list = "`--list-markers` lists all declared markers";
        Err(ExpressionError {
            text: self.text.clone(),
            reason: format!("unknown marker `{}`", in_short(&term.word)),
            suggestion: match closest(&term.word, declared.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`? {list}"),
                None => format!("{list}; to select by name, use `-k`"),
            },
            place: term.place,
        })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl Node {
    fn holds(&self, term: &mut dyn FnMut(&Term) -> bool) -> bool {
        match self {
            Self::Or(parts) => parts.iter().any(|part| part.holds(term)),
            Self::And(parts) => parts.iter().all(|part| part.holds(term)),
            Self::Not(part) => !part.holds(term),
            Self::Term(word) => term(word),
        }
    }

    fn visit(&self, see: &mut dyn FnMut(&Term)) {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().for_each(|part| part.visit(see)),
            Self::Not(part) => part.visit(see),
            Self::Term(term) => see(term),
        }
    }

    /// Writes `parts` with `between`, each in parentheses when `wraps` says so.
    fn write_parts(
        f: &mut fmt::Formatter<'_>,
        parts: &[Self],
        between: &str,
        wraps: fn(&Self) -> bool,
    ) -> fmt::Result {
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                f.write_str(between)?;
            }
            part.write_wrapped(f, wraps(part))?;
        }
        Ok(())
    }

    fn write_wrapped(&self, f: &mut fmt::Formatter<'_>, wrapped: bool) -> fmt::Result {
        if wrapped {
            write!(f, "({self})")
        } else {
            write!(f, "{self}")
        }
    }
}

/// The shortest text that reads back as the same.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(parts) => {
                Self::write_parts(f, parts, " or ", |part| matches!(part, Self::Or(_)))
            }
            Self::And(parts) => Self::write_parts(f, parts, " and ", |part| {
                matches!(part, Self::Or(_) | Self::And(_))
            }),
            Self::Not(part) => {
                f.write_str("not ")?;
                part.write_wrapped(f, matches!(**part, Self::Or(_) | Self::And(_)))
            }
            Self::Term(term) => term.fmt(f),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(&self.word) {
            f.write_str(&self.word)?;
        } else {
            write_quoted(f, &self.word)?;
        }
        for (index, arg) in self.args.iter().enumerate() {
            f.write_str(if index == 0 { "(" } else { ", " })?;
            write_quoted(f, arg)?;
        }
        if self.args.is_empty() {
            Ok(())
        } else {
            f.write_str(")")
        }
    }
}

/// Whether the word needs no quotes.
fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.chars().all(is_word_char) && !matches!(word, "and" | "or" | "not")
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let quote = if text.contains('"') { '\'' } else { '"' };
    write!(f, "{quote}{text}{quote}")
}
