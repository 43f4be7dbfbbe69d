//! The index: which fields an object has at its top, and where in the document they lie.

use std::ops::Range;

use smallvec::SmallVec;

use super::{Invalid, Rule, scan::Scanner, text};

/// The most fields at the top: more than any provider's API has, few enough to sort.
const MOST_FIELDS: usize = 1024;

/// Room for the fields of a usual request.
const USUAL_FIELDS: usize = 16;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Where each top-level field of an object lies in its document. It owns the names and borrows
/// nothing; offsets only make sense with the document that was indexed.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// All names, decoded, one after the other.
    names: String,
    pub(super) entries: Vec<Entry>,
    /// Where a field can be added: after the last one's value, or after the opening brace.
    pub(super) end: usize,
}

/// One field: offsets into the document, but for `name`, which is into `Fields::names`.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    name: Range<usize>,
    /// The opening quote of the key.
    pub(super) key: usize,
    pub(super) value: Range<usize>,
}

impl Fields {
    /// Checks a whole document and indexes the top of it, in one walk.
    ///
    /// The document must be an object and keep to RFC 8259 throughout, and to each [`Rule`].
    /// Numbers may be of any size, nested objects may repeat a name, and strings may hold lone
    /// surrogates as escapes: these are passed through as they are.
    pub fn index(document: &[u8]) -> Result<Self, Invalid> {
        let mut scanner = Scanner::new(document)?;
        if document.starts_with(BYTE_ORDER_MARK) {
            return Err(scanner.broken(Rule::ByteOrderMark));
        }
        scanner.whitespace();
        if scanner.peek().is_some_and(|byte| byte != b'{') {
            return Err(scanner.broken(Rule::Object));
        }
        scanner.expect(b'{')?;
        let mut fields = Self {
            end: scanner.at(),
            ..Self::default()
        };
        scanner.whitespace();
        if !scanner.eat(b'}') {
            fields.entries.reserve(USUAL_FIELDS);
            fields.read(document, &mut scanner)?;
        }
        scanner.whitespace();
        if scanner.peek().is_some() {
            return Err(scanner.broken(Rule::Trailing));
        }
        fields.refuse_duplicates()?;
        Ok(fields)
    }

    /// Where the value of the field with this (decoded) name lies.
    pub fn span(&self, name: &str) -> Option<Range<usize>> {
        let entry = self.entries.iter().find(|entry| self.name(entry) == name)?;
        Some(entry.value.clone())
    }

    /// The field's value as raw JSON, without the whitespace around it.
    pub fn value<'a>(&self, document: &'a [u8], name: &str) -> Option<&'a [u8]> {
        document.get(self.span(name)?)
    }

    /// The names, decoded, in the document's order. A lone surrogate in a name, which `str`
    /// cannot hold, becomes U+FFFD.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| self.name(entry))
    }

    pub(super) fn name(&self, entry: &Entry) -> &str {
        self.names.get(entry.name.clone()).unwrap_or_default()
    }

    /// Reads all fields, from the first key to the closing brace.
    fn read(&mut self, document: &[u8], scanner: &mut Scanner<'_>) -> Result<(), Invalid> {
        loop {
            if self.entries.len() == MOST_FIELDS {
                return Err(scanner.broken(Rule::Count));
            }
            let key = scanner.at();
            let content = scanner.string()?;
            let start = self.names.len();
            text::decode(document.get(content).unwrap_or_default(), &mut self.names);
            scanner.colon()?;
            let value = scanner.at();
            scanner.value()?;
            self.end = scanner.at();
            self.entries.push(Entry {
                name: start..self.names.len(),
                key,
                value: value..self.end,
            });
            scanner.whitespace();
            if !scanner.eat(b',') {
                return scanner.expect(b'}');
            }
            scanner.whitespace();
        }
    }

    /// Fails at the first key whose name came before. Sorts, so that a thousand long names that
    /// differ only at their ends stay cheap.
    fn refuse_duplicates(&self) -> Result<(), Invalid> {
        let mut sorted: SmallVec<[(&str, usize); USUAL_FIELDS]> = self
            .entries
            .iter()
            .map(|entry| (self.name(entry), entry.key))
            .collect();
        sorted.sort_unstable_by_key(|&(name, key)| (name.len(), name, key));
        let pairs = sorted.iter().zip(sorted.iter().skip(1));
        let repeated = pairs.filter(|((before, _), (name, _))| before == name);
        match repeated.map(|(_, &(_, key))| key).min() {
            Some(offset) => Err(Invalid {
                offset,
                rule: Rule::Duplicate,
            }),
            None => Ok(()),
        }
    }
}
