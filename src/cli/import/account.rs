//! The providers of the output: each account at a vendor once, under a name of its own.

use std::collections::BTreeSet;

use crate::cli::import::base::{self, Reach};
use crate::cli::import::vendor::{Address, Format, Vendor};

/// In characters; config takes 64.
const LONGEST_LABEL: usize = 32;

/// All that tells one account from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// The wire format.
    pub(super) format: Format,
    /// The base URL, as config takes it.
    pub(super) base: String,
    /// Whether its host may be a private address.
    pub(super) reach: Reach,
    /// The variable of its credential.
    pub(super) credential: Option<String>,
    /// The header of the credential, where it is not the format's own.
    pub(super) auth: Option<&'static str>,
    /// Azure's version.
    pub(super) version: Option<String>,
}

/// The accounts so far.
#[derive(Default)]
pub(super) struct Accounts {
    list: Vec<(String, Account)>,
    taken: BTreeSet<String>,
}

impl Accounts {
    /// The name of an account, which is added if it is new.
    pub(super) fn name(&mut self, vendor: &Vendor, account: Account) -> String {
        if let Some((name, _)) = self.list.iter().find(|(_, known)| *known == account) {
            return name.clone();
        }
        let wanted = wanted(vendor, &account);
        let mut name = wanted.clone();
        let mut number = 1_u32;
        while !self.taken.insert(name.clone()) {
            number = number.saturating_add(1);
            name = format!("{wanted}-{number}");
        }
        self.list.push((name.clone(), account));
        name
    }

    /// All of them, in the order of their use.
    pub(super) fn into_list(self) -> Vec<(String, Account)> {
        self.list
    }
}

/// The vendor's name; where it says too little, with a piece of the host's.
fn wanted(vendor: &Vendor, account: &Account) -> String {
    let name = vendor.name();
    if account.base == vendor.base || vendor.address == Address::Vertex {
        return name.to_owned();
    }
    let host = base::host(&account.base);
    let label = match host.split_once('.') {
        Some((label, _)) if label.contains(|one: char| one.is_ascii_alphabetic()) => label,
        _ => host.as_str(),
    };
    let letter = |one: char| {
        if one.is_ascii_alphanumeric() || one == '_' {
            one
        } else {
            '-'
        }
    };
    let label: String = label.chars().take(LONGEST_LABEL).map(letter).collect();
    format!("{name}-{}", label.trim_matches('-'))
}
