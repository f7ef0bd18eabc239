//! Recipes as text.

use super::error::RecipeError;

/// Cuts `text` at every `separator` that stands outside of quotes and brackets, and that `cuts(before, after)` wants;
/// with each piece's place. `Err` is the place of what was opened and never closed, or closed and never opened.
pub(super) fn split(
    text: &str,
    separator: char,
    cuts: impl Fn(&str, &str) -> bool,
) -> Result<Vec<(usize, &str)>, usize> {
    let mut pieces = Vec::new();
    let (mut from, mut open, mut quoted, mut escaped) = (0, Vec::new(), None, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted.is_some() => escaped = true,
            '"' => quoted = if quoted.is_some() { None } else { Some(at) },
            _ if quoted.is_some() => {}
            '[' | '{' => open.push(at),
            ']' | '}' => drop(open.pop().ok_or(at)?),
            _ if c == separator && open.is_empty() && cuts(&text[from..at], &text[at + c.len_utf8()..]) => {
                pieces.push((from, &text[from..at]));
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    if let Some(at) = quoted.or_else(|| open.pop()) {
        return Err(at);
    }
    pieces.push((from, &text[from..]));
    Ok(pieces)
}

/// A syntax error at a byte of `whole`.
pub(super) fn syntax(whole: &str, byte: usize, problem: impl Into<String>) -> RecipeError {
    let at = whole.get(..byte).map_or(0, |before| before.chars().count());
    RecipeError::Syntax { text: whole.to_owned(), at, problem: problem.into() }
}

/// `split` with its error made readable.
pub(super) fn pieces<'a>(
    whole: &str,
    offset: usize,
    text: &'a str,
    separator: char,
    cuts: impl Fn(&str, &str) -> bool,
) -> Result<Vec<(usize, &'a str)>, RecipeError> {
    let pieces = split(text, separator, cuts)
        .map_err(|at| syntax(whole, offset + at, "a bracket or quote without its other half"))?;
    Ok(pieces.into_iter().map(|(at, piece)| (offset + at, piece)).collect())
}
