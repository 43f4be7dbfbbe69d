//! `keys`: who may call. A secret becomes its digest as soon as it is read.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::allotment::Allotment;
use super::cursor::{Cursor, Read, all};
use super::hint::hint;
use super::moment;
use super::path::quoted;
use super::proofs::{self, Taken};
use super::section::Section;
use crate::account::{
    Activity, Each, Key, KeyEntry, Keys, Network, Quota, RouteScope, Scope, Tags, Terms,
};

/// The longest name of a key.
const LONGEST_NAME: usize = 64;

/// Tags of one key, and the longest name or value of one.
const MOST_TAGS: usize = 16;
const LONGEST_TAG: usize = 64;

/// What keys may name: the routes of the file, whether or not they are well-formed.
pub(super) type RouteNames<'a> = BTreeSet<&'a str>;

/// All keys, and the quotas that stand with them.
#[derive(Default)]
pub(super) struct Callers {
    pub(super) keys: Keys,
    pub(super) quotas: Vec<Quota>,
}

/// Reads all keys.
pub(super) fn read(cursor: &Cursor<'_>, routes: &RouteNames<'_>) -> Read<Callers> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut taken = Taken::new();
    let items = cursor.items()?;
    let read = all(items.iter().map(|cursor| {
        let mut section = Section::open(cursor)?;
        let name = section.required("name").and_then(|cursor| {
            let name = cursor.name(LONGEST_NAME)?;
            if !names.insert(name) {
                return cursor.fail(format_args!("two keys have the name {}", quoted(name)));
            }
            Ok(name)
        });
        let proofs = proofs::read(&mut section, cursor, &mut taken);
        let scope = section.maybe("routes", |cursor| scope(cursor, routes));
        let tags = section.or("tags", Tags::new(), tags);
        let terms = terms(&mut section);
        let allotment = Allotment::read(&mut section);
        section.close();
        let name: Arc<str> = name?.into();
        let key = Key {
            name: Arc::clone(&name),
            routes: scope?.map_or(RouteScope::All, RouteScope::Only),
            tags: tags?,
        };
        let entry = KeyEntry {
            key: Arc::new(key),
            terms: terms?,
            proofs: proofs?,
        };
        let scope = Scope::Key(Arc::clone(&name));
        let quota = allotment?.map(|own| own.quota(name, scope, Each::Together));
        Ok((entry, quota))
    }));
    let (entries, quotas): (Vec<_>, Vec<_>) = read?.into_iter().unzip();
    Ok(Callers {
        keys: entries.into_iter().collect(),
        quotas: quotas.into_iter().flatten().collect(),
    })
}

/// When and from where a key holds.
fn terms(section: &mut Section<'_>) -> Read<Terms> {
    let expires = section.maybe("expires", moment::end);
    let networks = section.or("networks", Vec::new(), |cursor| {
        all(cursor.some_items()?.iter().map(network))
    });
    let activity = section.or("disabled", Activity::default(), |cursor| {
        Ok(if cursor.boolean()? {
            Activity::Disabled
        } else {
            Activity::Enabled
        })
    });
    Ok(Terms {
        expires: expires?,
        networks: networks?,
        activity: activity?,
    })
}

fn network(cursor: &Cursor<'_>) -> Read<Network> {
    let text = cursor.text()?;
    Network::parse(text).or_else(|rule| cursor.fail(format_args!("{}: {rule}", quoted(text))))
}

/// Names and values of one's own, which stand in logs and decide about quotas and routes.
pub(super) fn tags(cursor: &Cursor<'_>) -> Read<Tags> {
    let entries = cursor.named()?;
    if entries.len() > MOST_TAGS {
        return cursor.fail(format_args!("a key has at most {MOST_TAGS} tags"));
    }
    let tags = all(entries.into_iter().map(|(name, cursor)| {
        if let Some(rule) = tag_rule(name) {
            return cursor.fail_at_key(rule);
        }
        let value = cursor.text()?;
        match tag_rule(value) {
            Some(rule) => cursor.fail(rule),
            None => Ok((Arc::from(name), Arc::from(value))),
        }
    }))?;
    Ok(tags.into_iter().collect())
}

fn tag_rule(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@".contains(&byte);
    let good = (1..=LONGEST_TAG).contains(&text.len()) && text.bytes().all(plain);
    (!good).then(|| {
        let text = quoted(text);
        format!("{text} is no tag: 1 to {LONGEST_TAG} of ASCII letters, digits and -_.:/@")
    })
}

fn scope(cursor: &Cursor<'_>, routes: &RouteNames<'_>) -> Read<BTreeSet<Arc<str>>> {
    let mut seen = BTreeSet::new();
    let names = all(cursor.some_items()?.iter().map(|cursor| {
        let name = cursor.text()?;
        if !routes.contains(name) {
            let known: Vec<&str> = routes.iter().copied().collect();
            let hint = hint(name, &known);
            return cursor.fail(format_args!("there is no route {}; {hint}", quoted(name)));
        }
        if !seen.insert(name) {
            return cursor.fail(format_args!("the route {} is there twice", quoted(name)));
        }
        Ok(Arc::from(name))
    }))?;
    Ok(names.into_iter().collect())
}
