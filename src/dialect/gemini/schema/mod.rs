//! JSON Schema in the words of the API.
//!
//! `parametersJsonSchema` and `responseJsonSchema` take JSON Schema proper, and are what is sent as
//! a rule: only the mark of its version must go ([`without_marks`]). Models before 2.5, and some
//! regions of Vertex, have only `parameters` and `responseSchema`, which take the subset of
//! `OpenAPI` 3.0 that the API calls `Schema` and refuse every other keyword: for them the schema is
//! rewritten ([`subset`]). `model::wants_subset` tells which it is.
//!
//! The subset can say less, so what a model writes may break the schema that was asked for; what
//! is lost are bounds and patterns of rare keywords, never a field. Pure and bounded.

mod draft;
mod list;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::value::RawValue;

use self::draft::Draft;
use self::list::{MAX_SCHEMAS, fields, items, strings};
use crate::dialect::gemini::quote;

/// The most levels of a schema.
const MAX_DEPTH: usize = 32;
/// The most bytes of a schema, and of what is written: references that are inlined multiply.
const MAX_BYTES: usize = 128 << 10;

/// Why a schema cannot be said in the subset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsayable {
    /// It refers to itself: the subset has no references.
    #[error("the schema is recursive")]
    Recursive,
    /// It refers to what is not in it.
    #[error("the schema refers to what it does not have")]
    Missing,
    /// It is larger or deeper than can be inlined.
    #[error("the schema is too large")]
    TooLarge,
}

/// The schema without `$schema`, which the API refuses even where it takes JSON Schema.
pub fn without_marks(schema: &RawValue) -> Cow<'_, str> {
    let json = schema.get();
    if !json.contains("$schema") {
        return Cow::Borrowed(json);
    }
    let mut kept = String::with_capacity(json.len());
    for (name, value) in fields(schema).iter().filter(|(name, _)| name != "$schema") {
        kept.push(if kept.is_empty() { '{' } else { ',' });
        quote(name, &mut kept);
        kept.push(':');
        kept.push_str(value.get());
    }
    kept.push_str(if kept.is_empty() { "{}" } else { "}" });
    Cow::Owned(kept)
}

/// The schema in the subset: references inlined, `["T","null"]` as `nullable`, `const` as `enum`,
/// `oneOf` as `anyOf`, `allOf` merged, values of an `enum` as strings, and nothing that the subset
/// has no word for.
///
/// # Errors
/// [`Unsayable`] where that would lose more than bounds.
pub fn subset(schema: &RawValue) -> Result<String, Unsayable> {
    if schema.get().len() > MAX_BYTES {
        return Err(Unsayable::TooLarge);
    }
    let mut rewriter = Rewriter {
        root: schema,
        out: String::new(),
        open: vec!["#".into()],
        chain: Vec::new(),
        depth: 0,
        schemas: 0,
    };
    rewriter.schema(schema)?;
    Ok(rewriter.out)
}

/// A rewriting under way.
struct Rewriter<'a> {
    root: &'a RawValue,
    out: String,
    /// The references of the schemas that are being written.
    open: Vec<Cow<'a, str>>,
    /// Those that are being followed while one schema is gathered.
    chain: Vec<Cow<'a, str>>,
    depth: usize,
    schemas: usize,
}

impl<'a> Rewriter<'a> {
    /// Writes a schema.
    fn schema(&mut self, schema: &'a RawValue) -> Result<(), Unsayable> {
        let mark = self.open.len();
        let mut draft = Draft::default();
        self.gather(schema, &mut draft, 0)?;
        self.open.append(&mut draft.followed);
        self.draft(&draft)?;
        self.open.truncate(mark);
        Ok(())
    }

    /// Gathers what a schema says, with what it refers to and what it must meet besides. The
    /// references stay open until the schema is written.
    fn gather(
        &mut self,
        schema: &'a RawValue,
        draft: &mut Draft<'a>,
        nested: usize,
    ) -> Result<(), Unsayable> {
        self.schemas += 1;
        if nested > MAX_DEPTH || self.schemas > MAX_SCHEMAS {
            return Err(Unsayable::TooLarge);
        }
        let all = fields(schema);
        let named = |wanted: &str| all.iter().find(|(name, _)| name == wanted);
        // First, so that what stands beside a reference counts for more.
        if let Some((_, reference)) = named("$ref") {
            let target = self.follow(reference)?;
            self.gather(target, draft, nested + 1)?;
            draft.followed.extend(self.chain.pop());
        }
        if let Some((_, list)) = named("allOf") {
            for part in items(list) {
                self.gather(part, draft, nested + 1)?;
            }
        }
        for (name, value) in &all {
            draft.take(name, value);
        }
        Ok(())
    }

    /// What a reference within the document stands for.
    fn follow(&mut self, reference: &'a RawValue) -> Result<&'a RawValue, Unsayable> {
        let reference = list::text(reference).ok_or(Unsayable::Missing)?;
        if self.open.contains(&reference) || self.chain.contains(&reference) {
            return Err(Unsayable::Recursive);
        }
        let pointer = reference.strip_prefix("#/").ok_or(Unsayable::Missing)?;
        let mut at = self.root;
        for step in pointer.split('/') {
            let step = step.replace("~1", "/").replace("~0", "~");
            let found = fields(at).into_iter().find(|(name, _)| *name == step);
            at = found.ok_or(Unsayable::Missing)?.1;
        }
        self.chain.push(reference);
        Ok(at)
    }

    /// Writes what was gathered.
    fn draft(&mut self, draft: &Draft<'a>) -> Result<(), Unsayable> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Unsayable::TooLarge);
        }
        if let Some(only) = draft.only_choice() {
            let mut merged = draft.beside_choices();
            self.gather(only, &mut merged, self.depth)?;
            self.open.append(&mut merged.followed);
            // What the choice brought in may be a choice again.
            self.draft(&merged)?;
            self.depth -= 1;
            return Ok(());
        }
        self.out.push('{');
        let start = self.out.len();
        for (name, json) in draft.plain() {
            self.raw(start, name, &json);
        }
        self.choices(start, draft)?;
        self.inner(start, draft)?;
        self.out.push('}');
        self.depth -= 1;
        if self.out.len() > MAX_BYTES {
            return Err(Unsayable::TooLarge);
        }
        Ok(())
    }

    /// Writes `anyOf`: the choices, or the types where there are several.
    fn choices(&mut self, start: usize, draft: &Draft<'a>) -> Result<(), Unsayable> {
        let choices = draft.choices();
        let several = draft.types.len() > 1;
        if choices.is_empty() && !several {
            return Ok(());
        }
        self.key(start, "anyOf");
        self.out.push('[');
        if choices.is_empty() {
            for (at, one) in draft.types.iter().enumerate() {
                self.out.push_str(if at == 0 { "" } else { "," });
                self.draft(&draft.of_type(one))?;
            }
        }
        for (at, choice) in choices.into_iter().enumerate() {
            self.out.push_str(if at == 0 { "" } else { "," });
            self.schema(choice)?;
        }
        self.out.push(']');
        Ok(())
    }

    /// Writes the schemas of items and fields.
    fn inner(&mut self, start: usize, draft: &Draft<'a>) -> Result<(), Unsayable> {
        if draft.types.len() > 1 {
            return Ok(());
        }
        if draft.is("array") {
            self.key(start, "items");
            match draft.items {
                Some(items) => self.schema(items)?,
                // A list must say of what it is.
                None => self.out.push_str(r#"{"type":"string"}"#),
            }
        }
        if !draft.is("object") || draft.properties.is_empty() {
            return Ok(());
        }
        self.key(start, "properties");
        self.out.push('{');
        for (at, (name, schema)) in draft.properties.iter().enumerate() {
            self.out.push_str(if at == 0 { "" } else { "," });
            quote(name, &mut self.out);
            self.out.push(':');
            self.schema(schema)?;
        }
        self.out.push('}');
        let required = draft.required();
        if !required.is_empty() {
            self.key(start, "required");
            strings(&required, &mut self.out);
        }
        Ok(())
    }

    fn key(&mut self, start: usize, name: &str) {
        if self.out.len() > start {
            self.out.push(',');
        }
        quote(name, &mut self.out);
        self.out.push(':');
    }

    fn raw(&mut self, start: usize, name: &str, json: &str) {
        self.key(start, name);
        self.out.push_str(json);
    }
}
