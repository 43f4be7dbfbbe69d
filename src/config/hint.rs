//! What a person may have meant by a word that we do not know.

/// The likeliest word that was meant, or all of them.
pub(super) fn hint(word: &str, known: &[&str]) -> String {
    // One slip in three letters, none in a single one; more would only guess.
    let distance = |known: &&str| strsim::osa_distance(word, known);
    let near = |known: &&&str| distance(known) <= (known.len() + 1) / 3;
    if word.len() <= 64
        && let Some(meant) = known
            .iter()
            .filter(near)
            .min_by_key(|known| distance(known))
    {
        return format!("did you mean {meant:?}?");
    }
    match known {
        [] => "there are none".to_owned(),
        known => format!("known here: {}", known.join(", ")),
    }
}
