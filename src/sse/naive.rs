//! A second reading of the standard, to test the decoder against: over the whole input, a
//! character a byte, slow and plain. It shares no code with the room; the fuzz target includes
//! this file too, so it names nothing but std.

/// What the decoder must give for one block of lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// The source bytes with the closing blank line.
    pub(super) raw: Vec<u8>,
    /// The event's name, unless empty.
    pub(super) event: Option<Vec<u8>>,
    /// The data lines joined by LF.
    pub(super) data: Option<Vec<u8>>,
    /// The last event id.
    pub(super) id: Option<Vec<u8>>,
    /// The reconnection time in milliseconds.
    pub(super) retry: Option<u64>,
}

/// The complete blocks of a stream, and the tail that lacks its blank line.
pub(super) fn parse(stream: &[u8]) -> (Vec<Block>, Option<Block>) {
    let text: String = stream.iter().copied().map(char::from).collect();
    let text = text.strip_prefix("\u{EF}\u{BB}\u{BF}").unwrap_or(&text);
    let mut blocks = Vec::new();
    let mut open: Vec<(String, &str)> = Vec::new();
    for (line, end) in lines(text) {
        if !line.is_empty() {
            open.push((line, end));
            continue;
        }
        let Some((_, before)) = open.last() else {
            continue;
        };
        let closing = if *before == "\r" && end == "\r\n" {
            "\r"
        } else {
            end
        };
        blocks.push(block(&open, closing));
        open.clear();
    }
    let tail = (!open.is_empty()).then(|| block(&open, ""));
    (blocks, tail)
}

/// The lines, each with its end; only the last may lack one.
fn lines(text: &str) -> Vec<(String, &'static str)> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let end = match letter {
            '\n' => "\n",
            '\r' if letters.next_if_eq(&'\n').is_some() => "\r\n",
            '\r' => "\r",
            _ => {
                line.push(letter);
                continue;
            }
        };
        lines.push((std::mem::take(&mut line), end));
    }
    if !line.is_empty() {
        lines.push((line, ""));
    }
    lines
}

fn block(lines: &[(String, &str)], closing: &str) -> Block {
    let mut block = Block::default();
    let mut data: Vec<&str> = Vec::new();
    for (line, end) in lines {
        block.raw.extend(bytes(line));
        block.raw.extend(bytes(end));
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => block.event = Some(bytes(value)).filter(|name| !name.is_empty()),
            "data" => data.push(value),
            "id" if !value.contains('\0') => block.id = Some(bytes(value)),
            "retry" if !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) => {
                block.retry = Some(value.parse().unwrap_or(u64::MAX));
            }
            _ => {}
        }
    }
    block.raw.extend(bytes(closing));
    block.data = (!data.is_empty()).then(|| bytes(&data.join("\n")));
    block
}

/// The bytes that were made characters.
fn bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(c).unwrap_or(b'?'))
        .collect()
}
