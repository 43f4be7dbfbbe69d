//! How much an answer has said, for when its provider does not come to say it: the beginning of
//! each kind of text, and how much there was of it in all. Pure.
//!
//! Bounded: 4 KiB of each kind. Taking a piece is a copy until they are full, then an addition.

use crate::dialect;
use crate::exchange::Event;
use crate::units::Tokens;

/// As much of each kind as is kept and counted.
const SAMPLE: usize = 4 << 10;

/// What an answer has said so far. Kinds are kept apart, for each has its own density: JSON takes
/// half as many bytes for a token as prose.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    text: Sample,
    reasoning: Sample,
    calls: Sample,
}

/// The beginning of a text, and how long all of it is.
#[derive(Clone, Debug, Default)]
struct Sample {
    head: String,
    bytes: usize,
}

impl Said {
    /// Takes the next event.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Text { text, .. } | Event::Refusal { text, .. } => self.text.push(text),
            Event::Reasoning { text, .. } => self.reasoning.push(text),
            Event::ToolCall {
                name, arguments, ..
            } => {
                self.calls.push(name.as_deref().unwrap_or_default());
                self.calls.push(arguments);
            }
            Event::Started
            | Event::Media { .. }
            | Event::Signature { .. }
            | Event::Aside { .. }
            | Event::Finished { .. }
            | Event::Usage(_)
            | Event::Failed(_)
            | Event::Ping
            | Event::End => {}
        }
    }

    /// Takes a text as it stands.
    pub(super) fn text(&mut self, text: &str) {
        self.text.push(text);
    }

    /// Takes a piece of a call as it stands.
    pub(super) fn call(&mut self, text: &str) {
        self.calls.push(text);
    }

    /// How many tokens it was, and how many of them were reasoning. Counts what is kept.
    pub(super) fn tokens(&self) -> (Tokens, Tokens) {
        let reasoning = self.reasoning.tokens();
        let all = self.text.tokens() + reasoning + self.calls.tokens();
        (all, reasoning)
    }

    /// The same without counting: four bytes for a token.
    pub(super) fn roughly(&self) -> Tokens {
        let bytes = self.text.bytes + self.reasoning.bytes + self.calls.bytes;
        Tokens(u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(4))
    }
}

impl Sample {
    fn push(&mut self, text: &str) {
        // Once something was left out, nothing that follows may stand beside what is kept.
        if self.head.len() == self.bytes && self.bytes < SAMPLE {
            if self.head.capacity() == 0 {
                self.head.reserve_exact(text.len().clamp(256, SAMPLE));
            }
            let end = text.floor_char_boundary(SAMPLE - self.bytes);
            self.head.push_str(text.get(..end).unwrap_or_default());
        }
        self.bytes = self.bytes.saturating_add(text.len());
    }

    fn tokens(&self) -> Tokens {
        let Some(kept) = u128::try_from(self.head.len())
            .ok()
            .filter(|kept| *kept > 0)
        else {
            return Tokens(0);
        };
        let counted = u128::from(dialect::tokens(&self.head).0);
        let all = u128::try_from(self.bytes).unwrap_or(u128::MAX);
        let tokens = counted.saturating_mul(all).div_ceil(kept);
        Tokens(u64::try_from(tokens).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an answer may be like, some KiB each: its kind, and a piece that varies with its number.
    fn texts() -> Vec<(&'static str, String)> {
        let english = [
            "The invoice is sent at the end of each month; whoever needs it earlier can download it from ",
            "the customer page. A change of address holds from the next day on, and before we refund a ",
            "payment we look whether it has been booked at all. Larger amounts are paid out only after ",
            "a colleague has called you back, which may take a day or two in busy weeks. Please have your ",
            "reference at hand when you write to us, so that we need not ask for it first. ",
        ];
        let code = include_str!("pump.rs");
        let german = [
            "Die Rechnung wird am Ende jedes Monats verschickt; wer sie früher braucht, kann sie im ",
            "Kundenbereich herunterladen. Änderungen der Anschrift gelten erst vom nächsten Tag an, ",
            "und für Rückerstattungen prüfen wir zunächst, ob die Überweisung schon gebucht wurde. ",
            "Außerdem möchten wir Sie darauf hinweisen, dass größere Beträge nur nach Rücksprache ",
            "ausgezahlt werden. Bitte haben Sie Verständnis, wenn die Bearbeitung etwas länger dauert. ",
        ];
        let japanese = [
            "請求書は毎月末に送付されます。お急ぎの場合は、お客様ページからダウンロードしてください。",
            "住所の変更は翌日から有効になります。返金については、まず入金が確認できたかどうかを調べます。",
            "なお、高額のお支払いは事前のご相談が必要です。処理に時間がかかる場合がありますので、ご了承ください。",
            "ご不明な点がございましたら、サポート窓口までお気軽にお問い合わせください。",
        ];
        let varied = |pieces: &[&str], many: usize| -> String {
            let pieces = (0..many).map(|at| format!("{}{at}. ", pieces[at * 7 % pieces.len()]));
            pieces.collect::<Vec<_>>().concat()
        };
        let rows = (0..120).map(|row| {
            format!(
                r#"{{"order":{},"city":"{}","paid":{},"items":[{{"sku":"A-{row}","count":{}}}]}},"#,
                row * 7919 % 10_007,
                ["Oslo", "Lagos", "Quito", "Pune"][row % 4],
                row % 3 == 0,
                row % 9 + 1,
            )
        });
        let json = rows.collect::<Vec<_>>().concat();
        vec![
            ("english", varied(&english, 80)),
            ("code", code.to_owned()),
            ("german", varied(&german, 80)),
            ("japanese", varied(&japanese, 60)),
            ("json", json),
        ]
    }

    #[test]
    fn an_estimate_is_within_a_twentieth_of_the_count() {
        dialect::load_tokenizer();
        for (kind, text) in texts() {
            for length in [100, 2000, 7000, text.len()] {
                let (text, _) = text.split_at(text.floor_char_boundary(length));
                let mut said = Said::default();
                let mut rest = text;
                while !rest.is_empty() {
                    let cut = rest.ceil_char_boundary(23.min(rest.len()));
                    let (piece, after) = rest.split_at(cut);
                    rest = after;
                    said.event(&match kind {
                        "json" => Event::ToolCall {
                            choice: 0,
                            index: 0,
                            id: None,
                            name: None,
                            arguments: piece.into(),
                        },
                        _ => Event::Text {
                            choice: 0,
                            text: piece.into(),
                        },
                    });
                }
                let (estimate, count) = (said.tokens().0.0, dialect::tokens(text).0);
                let off = estimate.abs_diff(count);
                assert!(off * 20 <= count, "{kind} {length}: {estimate} {count}");
            }
        }
    }

    #[test]
    fn what_is_kept_has_a_bound_and_no_gap() {
        let mut said = Said::default();
        said.text(&"x".repeat(SAMPLE - 1));
        said.text("é");
        said.text("yyyy");
        assert_eq!(said.text.head.len(), SAMPLE - 1);
        assert_eq!(said.text.bytes, SAMPLE + 5);
        for _ in 0..1000 {
            said.text("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
        }
        assert!(said.text.head.capacity() <= 2 * SAMPLE);
        assert_eq!(Said::default().tokens(), (Tokens(0), Tokens(0)));
        assert_eq!(Said::default().roughly(), Tokens(0));
    }

    #[test]
    fn kinds_are_told_apart() {
        dialect::load_tokenizer();
        let mut said = Said::default();
        said.event(&Event::Reasoning {
            choice: 0,
            text: "hello world".into(),
        });
        said.event(&Event::Text {
            choice: 1,
            text: "tiktoken is great!".into(),
        });
        assert_eq!(said.tokens(), (Tokens(8), Tokens(2)));
        assert_eq!(said.roughly(), Tokens(8));
    }
}
