//! From tokens to a tree, with pytest's precedence: `not` binds closest, then `and`, then `or`.
//!
//! ```text
//! or   := and ("or" and)*
//! and  := not ("and" not)*
//! not  := "not" not | "(" or ")" | word [ "(" argument ("," argument)* ")" ]
//! ```

use std::ops::Range;

use super::error::ExpressionError;
use super::expression::{Language, Node, Term};
use super::lexer::{Kind, Token, tokens};

/// How deep parentheses and `not` may be nested: far beyond what anybody writes, and no danger for the stack.
const DEPTH: usize = 100;

/// Parses a whole expression.
pub(super) fn parse(text: &str, language: Language) -> Result<Node, ExpressionError> {
    let mut parser = Parser {
        text,
        language,
        tokens: tokens(text)?,
        next: 0,
    };
    if parser.tokens.is_empty() {
        return Err(parser.error(
            0..text.len(),
            "the expression is empty",
            match language {
                Language::Markers => {
                    "remove `-m` to run all tests, or name a marker: `-m \"not slow\"`"
                }
                Language::Keywords => {
                    "remove `-k` to run all tests, or write part of a name: `-k login`"
                }
            },
        ));
    }
    let node = parser.or(0)?;
    match parser.peek().cloned() {
        None => Ok(node),
        Some(token) => Err(parser.trailing(&token)),
    }
}

struct Parser<'t> {
    text: &'t str,
    language: Language,
    tokens: Vec<Token>,
    next: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    /// Steps over the next token if it is this one.
    fn accept(&mut self, kind: &Kind) -> Option<Token> {
        let token = self.peek().filter(|token| token.kind == *kind)?.clone();
        self.next += 1;
        Some(token)
    }

    fn or(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let mut parts = vec![self.and(depth)?];
        while self.accept(&Kind::Or).is_some() {
            parts.push(self.and(depth)?);
        }
        Ok(one_or(parts, Node::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let mut parts = vec![self.not(depth)?];
        while self.accept(&Kind::And).is_some() {
            parts.push(self.not(depth)?);
        }
        Ok(one_or(parts, Node::And))
    }

    fn not(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let Some(token) = self.peek().cloned() else {
            return Err(self.missing());
        };
        if depth > DEPTH {
            return Err(self.error(
                token.place,
                "the expression is nested too deeply",
                "use fewer parentheses",
            ));
        }
        self.next += 1;
        match token.kind {
            Kind::Not => Ok(Node::Not(Box::new(self.not(depth + 1)?))),
            Kind::Open => {
                let inside = self.or(depth + 1)?;
                if self.accept(&Kind::Close).is_some() {
                    return Ok(inside);
                }
                match self.peek().cloned() {
                    None => {
                        Err(self.error(token.place, "unclosed parenthesis", "add a `)` at the end"))
                    }
                    Some(next) => Err(self.trailing(&next)),
                }
            }
            Kind::Word(word) | Kind::Quoted(word) => self.term(word, token.place),
            Kind::And | Kind::Or | Kind::Close | Kind::Comma => {
                self.next -= 1;
                Err(self.missing())
            }
        }
    }

    fn term(&mut self, word: String, place: Range<usize>) -> Result<Node, ExpressionError> {
        let mut args = Vec::new();
        let mut end = place.end;
        if word.is_empty() {
            return Err(self.error(
                place,
                "an empty string matches every name",
                "write part of a name",
            ));
        }
        if let Some(open) = self.accept(&Kind::Open) {
            if self.language == Language::Keywords {
                return Err(self.error(
                    open.place,
                    "names do not take arguments",
                    "write `and` or `or` before the parenthesis, or quote the whole text",
                ));
            }
            loop {
                args.push(self.argument()?);
                if self.accept(&Kind::Comma).is_none() {
                    break;
                }
            }
            match self.accept(&Kind::Close) {
                Some(close) => end = close.place.end,
                None => {
                    return Err(self.error(
                        open.place,
                        "unclosed list of arguments",
                        "add a `)` after the last argument",
                    ));
                }
            }
        }
        let place = place.start..end;
        Ok(Node::Term(Term { word, args, place }))
    }

    fn argument(&mut self) -> Result<String, ExpressionError> {
        if let Some(Token {
            kind: Kind::Word(arg) | Kind::Quoted(arg),
            ..
        }) = self.peek().cloned()
        {
            self.next += 1;
            return Ok(arg);
        }
        let place = self.here();
        Err(self.error(
            place,
            "expected an argument of the marker",
            "write it in quotes, as in `suite(\"auth\")`, or remove the parentheses",
        ))
    }

    /// The place of the next token, or the end.
    fn here(&self) -> Range<usize> {
        let end = self.text.len();
        self.peek().map_or(end..end, |token| token.place.clone())
    }

    /// A word was expected where something else is, or nothing.
    fn missing(&self) -> ExpressionError {
        let what = match self.language {
            Language::Markers => "a marker",
            Language::Keywords => "part of a name",
        };
        let written = |place: Range<usize>| self.text.get(place).unwrap_or_default();
        let before = self.next.checked_sub(1).and_then(|i| self.tokens.get(i));
        let reason = match (before, self.peek()) {
            (Some(before), None) => {
                format!("expected {what} after `{}`", written(before.place.clone()))
            }
            (_, Some(next)) => {
                format!("expected {what} before `{}`", written(next.place.clone()))
            }
            (None, None) => format!("expected {what}"),
        };
        let suggestion = match before.map(|token| &token.kind) {
            Some(Kind::And | Kind::Or) => {
                "`and` and `or` join two parts, as in `slow and not flaky`"
            }
            Some(Kind::Not) => "`not` is written before a part, as in `not slow`",
            _ => {
                "an expression consists of words, `and`, `or`, `not` and parentheses, as in `slow and not (flaky or performance)`"
            }
        };
        self.error(self.here(), &reason, suggestion)
    }

    /// Something follows a complete expression.
    fn trailing(&self, token: &Token) -> ExpressionError {
        let (reason, suggestion) = match token.kind {
            Kind::Close => ("unmatched parenthesis", "remove it, or add a `(`"),
            Kind::Comma => (
                "commas are allowed only between arguments of a marker",
                "write `and` or `or` here",
            ),
            _ => ("expected `and` or `or` before this", self.between(token)),
        };
        self.error(token.place.clone(), reason, suggestion)
    }

    /// What belongs between two parts.
    fn between(&self, token: &Token) -> &'static str {
        let word = self.text.get(token.place.clone()).unwrap_or_default();
        match (word.to_lowercase().as_str(), self.language) {
            ("and" | "or" | "not", _) => "write `and`, `or` and `not` in lower case",
            (_, Language::Markers) => "write `and` or `or` between two parts",
            (_, Language::Keywords) => {
                "write `and` or `or` between two parts, or quote text that contains spaces"
            }
        }
    }

    fn error(&self, place: Range<usize>, reason: &str, suggestion: &str) -> ExpressionError {
        ExpressionError {
            text: self.text.to_owned(),
            place,
            reason: reason.to_owned(),
            suggestion: suggestion.to_owned(),
        }
    }
}

/// The only part itself, or all of them together.
fn one_or(mut parts: Vec<Node>, together: fn(Vec<Node>) -> Node) -> Node {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            together(parts)
        }
        None => together(parts),
    }
}
