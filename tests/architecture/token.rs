//! Rust source to words and marks: just enough of a lexer not to be fooled by comments and literals.

#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c == '_' || c.is_alphabetic())
    }
}

/// Words, numbers, `::` and single marks. Comments are dropped; a literal is one empty token.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (length, kept) = token_length(rest, first);
        let (taken, left) = rest.split_at(length);
        match kept {
            Keep::Nothing => {}
            Keep::Mark => tokens.push(Token {
                text: String::from("\"\""),
                line,
            }),
            Keep::Text => {
                let text = taken.trim_start_matches("r#").to_owned();
                tokens.push(Token { text, line });
            }
        }
        line += taken.matches('\n').count();
        rest = left;
    }
    tokens
}

enum Keep {
    Nothing,
    Mark,
    Text,
}

fn token_length(rest: &str, first: char) -> (usize, Keep) {
    let word = |c: char| c == '_' || c.is_alphanumeric();
    let word_length = |text: &str| text.find(|c| !word(c)).unwrap_or(text.len());
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Keep::Nothing);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), Keep::Nothing);
    }
    if let Some(length) = literal(rest) {
        return (length, Keep::Mark);
    }
    if let Some(raw) = rest.strip_prefix("r#") {
        return (2 + word_length(raw), Keep::Text);
    }
    if let Some(lifetime) = rest.strip_prefix('\'') {
        return (1 + word_length(lifetime), Keep::Nothing);
    }
    if word(first) {
        return (word_length(rest), Keep::Text);
    }
    if rest.starts_with("::") {
        return (2, Keep::Text);
    }
    (
        first.len_utf8(),
        if first.is_whitespace() {
            Keep::Nothing
        } else {
            Keep::Text
        },
    )
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(here) = rest.get(at..) {
        if here.is_empty() {
            break;
        }
        let step = if here.starts_with("/*") {
            depth += 1;
            2
        } else if here.starts_with("*/") {
            depth -= 1;
            2
        } else {
            here.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a string or character literal that starts here.
fn literal(rest: &str) -> Option<usize> {
    let bare = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - bare.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = bare.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let body = raw.get(hashes..)?.strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let length = body.find(&close).map_or(body.len(), |at| at + close.len());
        return Some(prefix + 1 + hashes + 1 + length);
    }
    if bare.starts_with('"') {
        return Some(prefix + quoted(bare, '"'));
    }
    let inner = bare.strip_prefix('\'')?;
    let is_char = inner.starts_with('\\') || inner.chars().nth(1) == Some('\'');
    is_char.then(|| prefix + quoted(bare, '\''))
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

pub(crate) fn find(tokens: &[Token], from: usize, what: &[&str]) -> Option<usize> {
    let rest = tokens.get(from..)?;
    let matches = |window: &[Token]| {
        window
            .iter()
            .map(|token| token.text.as_str())
            .eq(what.iter().copied())
    };
    rest.windows(what.len())
        .position(matches)
        .map(|at| at + from)
}

pub(crate) fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}
