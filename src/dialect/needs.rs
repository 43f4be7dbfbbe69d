//! What a request needs of whoever answers it, and how long its prompt is: read as far as some
//! target of its route makes a difference, and never to a tree.

use std::sync::OnceLock;

use super::prompt::{Asked, Piece, Pieces, Prompt};
use super::{anthropic, fate, openai, tokens};
use crate::exchange::{Delivery, Dialect, Need, Needs, Request, Task, Tokenizer};
use crate::json::Walk;
use crate::units::Tokens;

/// What makes a difference to a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// What some target of it lacks.
    pub needs: Needs,
    /// The smallest window among its targets.
    pub window: Option<Tokens>,
    /// The smallest bound on answers among them.
    pub answer: Option<Tokens>,
    /// Whether a parameter that would be dropped leaves a target out.
    pub drops: bool,
}

impl Watched {
    /// Everything.
    pub fn all() -> Self {
        Self {
            needs: Need::ALL.into_iter().collect(),
            window: Some(Tokens(0)),
            answer: Some(Tokens(0)),
            drops: true,
        }
    }
}

/// What a request wants of a target.
#[derive(Debug)]
pub struct Wants<'a> {
    /// What it needs, as far as that makes a difference.
    pub needs: Needs,
    /// The format the client speaks.
    pub client: Dialect,
    /// The longest answer, where the client sets a bound.
    pub output: Option<Tokens>,
    request: Option<&'a Request>,
    pub(super) prompt: Option<Prompt>,
    pub(super) counted: OnceLock<Tokens>,
}

/// Whether a prompt is longer than a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Not as far as is known.
    Within,
    /// Certainly.
    Over,
}

/// What only a walk over the prompt tells.
const INSIDE: Needs = Needs::NONE
    .with(Need::Images)
    .with(Need::AudioIn)
    .with(Need::Documents)
    .with(Need::Native)
    .with(Need::ParallelTools)
    .with(Need::Tools);

/// What the task alone tells.
const TASKS: Needs = Needs::NONE
    .with(Need::Chat)
    .with(Need::Embeddings)
    .with(Need::Streaming);

/// Bytes of text for a token, about: English has 4 to 5, code 3 to 4, other scripts 2 to 4.
const BYTES_FOR_TOKEN: u64 = 4;
/// What any provider adds for a message, about.
const TOKENS_FOR_TURN: u64 = 4;
/// What an image takes, about.
const TOKENS_FOR_MEDIA: u64 = 800;
/// No text of some length has fewer bytes for a token than 2.5.
const DENSEST: (u64, u64) = (5, 2);
/// No text but a run of blanks has more.
const SPARSEST: u64 = 16;
/// A text that is longer is not counted: that takes some 25 ms for a MiB.
const MOST_COUNTED: u64 = 1 << 20;
/// As much text of a prompt as is counted where nobody said its length: for some 2 ms.
const SAMPLE: u64 = 64 << 10;
/// Above this many bytes for a token, a text that is too long to be counted is taken for too long.
const SPARSE: u64 = 8;

impl Wants<'_> {
    /// Nothing that makes a difference.
    pub fn nothing(client: Dialect) -> Self {
        Self {
            needs: Needs::NONE,
            client,
            output: None,
            request: None,
            prompt: None,
            counted: OnceLock::new(),
        }
    }

    /// Whether every target will do.
    pub fn is_nothing(&self) -> bool {
        self.request.is_none()
    }

    /// How long the prompt is: counted if it has been, else by its bytes. Walks over the prompt if
    /// that was not needed so far.
    pub fn input(&self) -> Tokens {
        let Some(request) = self.request else {
            return Tokens(0);
        };
        let prompt = self.prompt.unwrap_or_else(|| measure(request));
        let text = match self.counted.get() {
            Some(counted) => counted.0,
            None => prompt.text / BYTES_FOR_TOKEN,
        };
        Tokens(text + prompt.turns * TOKENS_FOR_TURN + prompt.media * TOKENS_FOR_MEDIA)
    }

    /// Whether the prompt is longer than a window of a model that counts in this way. It counts
    /// tokens only where the length in bytes leaves a doubt.
    pub fn length(&self, window: Tokens, tokenizer: Tokenizer) -> Length {
        let (Some(request), Some(prompt)) = (self.request, self.prompt) else {
            return Length::Within;
        };
        let bytes = prompt.text;
        let (dense, tokens) = DENSEST;
        if bytes.saturating_mul(tokens) / dense <= window.0 {
            return Length::Within;
        }
        let least = match bytes {
            bytes if bytes / SPARSEST > window.0 => return Length::Over,
            bytes if bytes > MOST_COUNTED => bytes / SPARSE,
            _ => {
                let counted = self.counted.get_or_init(|| count(request)).0;
                match tokenizer {
                    Tokenizer::O200k => counted,
                    // Others take fewer tokens for some texts, by a fifth at most.
                    Tokenizer::Unknown => counted - counted / 5,
                }
            }
        };
        if least > window.0 {
            Length::Over
        } else {
            Length::Within
        }
    }

    /// Whether a provider of this format would not hear of a parameter.
    pub fn drops(&self, provider: Dialect) -> bool {
        self.request.is_some_and(|request| {
            request.dialect != provider && !fate::dropped(request, provider).is_empty()
        })
    }
}

/// Reads what a request wants, as far as it makes a difference to its route.
pub fn wants(request: &Request, watched: Watched) -> Wants<'_> {
    let mut wants = Wants::nothing(request.dialect);
    // Vectors of two models do not go together, whatever the models can do.
    let embedding = request.task == Task::Embedding;
    if watched == Watched::default() && !embedding {
        return wants;
    }
    let inside = watched.needs.common(INSIDE);
    let prompt = (!inside.is_empty() || may_be_long(request, watched)).then(|| measure(request));
    let found = prompt.map_or(Needs::NONE, |prompt| prompt.needs);
    wants.needs = by_task(request).and(found);
    if !watched.needs.except(TASKS).is_empty() {
        wants.needs = wants.needs.and(named(request));
    }
    if !embedding {
        wants.needs = wants.needs.common(watched.needs);
    }
    wants.output = request.max_output;
    wants.request = Some(request);
    wants.prompt = prompt;
    wants
}

/// How long a prompt is, by its bytes. Walks over it.
pub fn input(request: &Request) -> Tokens {
    let mut wants = Wants::nothing(request.dialect);
    wants.request = Some(request);
    let mut bytes = 0;
    let given = beside(request, &mut |piece| bytes += length(piece));
    wants.input() + Tokens(given + bytes / BYTES_FOR_TOKEN)
}

/// How long a prompt is, counted: of more than 64 KiB of text those are counted, and the rest is
/// taken to be like them. Walks over it, for some milliseconds at most: for prompts whose length
/// nobody has said.
pub fn prompt(request: &Request) -> Tokens {
    let (mut text, mut seen, mut counted) = (0_u64, 0_u64, 0_u64);
    let mut count = |piece: Piece<'_>| {
        let written = match piece {
            Piece::Text(written) => written.text(),
            Piece::Json(json) => String::from_utf8_lossy(json),
        };
        text += length_of(written.as_bytes());
        let room = usize::try_from(SAMPLE.saturating_sub(seen)).unwrap_or(usize::MAX);
        let sample = written.get(..written.floor_char_boundary(room));
        let sample = sample.unwrap_or_default();
        seen += length_of(sample.as_bytes());
        counted += tokens::tokens(sample).0;
    };
    let found = walk(request, &mut count);
    let given = beside(request, &mut count);
    let all = u128::from(counted) * u128::from(text) / u128::from(seen.max(1));
    let all = u64::try_from(all).unwrap_or(u64::MAX);
    Tokens(all + given + found.turns * TOKENS_FOR_TURN + found.media * TOKENS_FOR_MEDIA)
}

/// What stands beside the messages: tools, and what vectors are made of. Returns how many tokens
/// came as numbers.
fn beside(request: &Request, pieces: &mut Pieces<'_>) -> u64 {
    let value = |name| request.fields.value(&request.body, name);
    if request.task == Task::Embedding {
        return value("input").map_or(0, |input| inputs(&mut Walk::new(input), pieces));
    }
    let tools = ["tools", "functions"].into_iter().filter_map(value);
    for tools in tools.filter(|tools| tools.starts_with(b"[")) {
        pieces(Piece::Json(tools));
    }
    0
}

/// A text, tokens, or a list of either.
fn inputs(walk: &mut Walk<'_>, pieces: &mut Pieces<'_>) -> u64 {
    let mut numbers = 0;
    let mut one = |walk: &mut Walk<'_>| {
        match walk.peek() {
            Some(b'"') => walk
                .string()?
                .into_iter()
                .for_each(|text| pieces(Piece::Text(text))),
            Some(b'[') => walk.items(|walk| {
                numbers += 1;
                walk.pass().map(drop)
            })?,
            _ => {
                numbers += 1;
                walk.pass()?;
            }
        }
        Ok(())
    };
    // The document has been checked: it does not end early.
    let _ = match walk.peek() {
        Some(b'[') => walk.items(&mut one),
        _ => one(walk),
    };
    numbers
}

/// Whether the prompt could be too long for the smallest window: a text is no longer than its body.
fn may_be_long(request: &Request, watched: Watched) -> bool {
    let Some(window) = watched.window else {
        return false;
    };
    let (dense, tokens) = DENSEST;
    let most = length_of(&request.body).saturating_mul(tokens) / dense;
    let output = request.max_output.unwrap_or_default();
    most + output.0 > window.0
}

fn by_task(request: &Request) -> Needs {
    let needs = match request.task {
        Task::Chat | Task::Count => Needs::NONE.with(Need::Chat),
        Task::Embedding => Needs::NONE.with(Need::Embeddings),
        // A chat will do for most of them.
        Task::Completion => Needs::NONE,
    };
    match request.delivery {
        Delivery::Stream(_) => needs.with(Need::Streaming),
        Delivery::Whole => needs,
    }
}

/// What the parameters tell.
fn named(request: &Request) -> Needs {
    match (request.dialect, request.task) {
        (_, Task::Embedding) | (Dialect::Gemini, _) => Needs::NONE,
        (Dialect::OpenAi, Task::Completion) => openai::needs::completion(request),
        (Dialect::OpenAi, Task::Chat | Task::Count) => openai::needs::named(request),
        (Dialect::Anthropic, _) => anthropic::needs::named(request),
    }
}

/// The JSON that a request asks for, if it does.
pub fn asked_json(request: &Request) -> Option<Asked<'_>> {
    match request.dialect {
        Dialect::OpenAi => openai::needs::json(request),
        Dialect::Anthropic => anthropic::needs::schema(request).map(Asked::Schema),
        Dialect::Gemini => None,
    }
}

pub(super) fn measure(request: &Request) -> Prompt {
    let mut text = 0;
    let prompt = walk(request, &mut |piece| {
        text += length(piece);
    });
    Prompt { text, ..prompt }
}

fn count(request: &Request) -> Tokens {
    let mut counted = 0_u64;
    walk(request, &mut |piece| {
        counted += match piece {
            Piece::Text(written) => tokens::count(&written.text()),
            Piece::Json(json) => tokens::count(&String::from_utf8_lossy(json)),
        };
    });
    Tokens(counted)
}

fn walk(request: &Request, pieces: &mut Pieces<'_>) -> Prompt {
    match request.dialect {
        Dialect::OpenAi => openai::needs::prompt(request, pieces),
        Dialect::Anthropic => anthropic::needs::prompt(request, pieces),
        Dialect::Gemini => Prompt::default(),
    }
}

fn length(piece: Piece<'_>) -> u64 {
    match piece {
        Piece::Text(written) => u64::try_from(written.length()).unwrap_or(u64::MAX),
        Piece::Json(json) => length_of(json),
    }
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// What a client's format can ask for and a provider's cannot, for want of words.
pub fn lost(client: Dialect, provider: Dialect) -> Needs {
    const ANYWHERE: Needs = Needs::NONE
        .with(Need::Native)
        .with(Need::NativeTools)
        .with(Need::Completions)
        .with(Need::Embeddings)
        .with(Need::LogitBias)
        .with(Need::MediaOut);
    match (client, provider) {
        (Dialect::OpenAi, Dialect::OpenAi)
        | (Dialect::Anthropic, Dialect::Anthropic)
        | (Dialect::Gemini, Dialect::Gemini) => Needs::NONE,
        (_, Dialect::Anthropic) => ANYWHERE
            .with(Need::Choices)
            .with(Need::LogProbs)
            .with(Need::AudioIn)
            .with(Need::JsonMode),
        (_, Dialect::OpenAi | Dialect::Gemini) => ANYWHERE,
    }
}
