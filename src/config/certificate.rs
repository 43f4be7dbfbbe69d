//! Certificates and keys from PEM files, checked as far as a start can check them: a pair that
//! cannot serve never replaces one that does.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;
use zeroize::Zeroizing;

use super::cursor::{Cursor, Read};
use super::disk::{self, FileError};
use super::path::quoted;
use crate::edge::{CertifiedName, RevokedCertificates};

/// The largest PEM file; a bundle of all public authorities has about 220 KiB.
const MAX_FILE: u64 = 1 << 20;

/// The longest chain; real ones have up to four.
const MAX_CHAIN: usize = 10;

/// Reads the chain and the key that `certificate` and `key` name.
pub(super) fn pair(certificate: &Cursor<'_>, key: &Cursor<'_>) -> Read<CertifiedName> {
    let chain = chain(certificate);
    let private = private_key(key);
    let (path, chain, leaf) = chain?;
    let signer = match any_supported_type(&private?) {
        Ok(signer) => signer,
        Err(error) => return key.fail(format_args!("the key is of no use: {error}")),
    };
    let pair = CertifiedKey::new(chain, signer);
    if pair.keys_match().is_err() {
        return key.fail("the key does not belong to the certificate");
    }
    let Leaf { names, not_after } = leaf;
    Ok(CertifiedName {
        names,
        key: Arc::new(pair),
        not_after,
        path,
    })
}

/// Reads the authorities that client certificates are checked against.
pub(super) fn roots(cursor: &Cursor<'_>) -> Read<Arc<RootCertStore>> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(cursor)? {
        if let Err(error) = store.add(certificate) {
            return cursor.fail(format_args!("an authority in it is of no use: {error}"));
        }
    }
    Ok(Arc::new(store))
}

/// Reads a private CA for a provider, checked like `roots`.
pub(super) fn authorities(cursor: &Cursor<'_>) -> Read<Vec<CertificateDer<'static>>> {
    let store = roots(cursor)?;
    debug_assert!(!store.is_empty(), "an empty file was refused");
    certificates(cursor)
}

/// Reads the lists of client certificates that no longer hold: PEM, one after the other.
///
/// A client without a list of its authority is refused, so each authority must have one; and so it
/// is with a list that has ended.
pub(super) fn revoked(cursor: &Cursor<'_>, roots: &RootCertStore) -> Read<RevokedCertificates> {
    let bytes = file(cursor)?;
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
    let Ok(lists) = lists else {
        return cursor.fail("malformed PEM");
    };
    let mut missing = roots.subjects();
    let mut until = i64::MAX;
    for list in &lists {
        let Ok((_, list)) = CertificateRevocationList::from_der(list) else {
            return cursor.fail("a list in it is malformed");
        };
        missing.retain(|subject| subject.as_ref() != list.issuer().as_raw());
        until = until.min(list_end(cursor, &list)?);
    }
    if lists.is_empty() {
        return cursor.fail("no PEM list in it");
    }
    if !missing.is_empty() {
        return cursor.fail("an authority of `client_ca` has no list in it");
    }
    Ok(RevokedCertificates {
        lists,
        until,
        path: cursor.file()?,
    })
}

fn list_end(cursor: &Cursor<'_>, list: &CertificateRevocationList<'_>) -> Read<i64> {
    let issuer = quoted(&list.issuer().to_string());
    let Some(end) = list.next_update() else {
        return cursor.fail(format_args!("the list of {issuer} does not say its end"));
    };
    let now = cursor.reading.now;
    if end.timestamp() < now {
        return cursor.fail(format_args!("the list of {issuer} ended on {end}"));
    }
    let begin = list.last_update();
    if begin.timestamp() > now {
        return cursor.fail(format_args!(
            "the list of {issuer} does not hold before {begin}"
        ));
    }
    Ok(end.timestamp())
}

struct Leaf {
    names: Vec<String>,
    not_after: i64,
}

type Chain = (std::path::PathBuf, Vec<CertificateDer<'static>>, Leaf);

fn chain(cursor: &Cursor<'_>) -> Read<Chain> {
    let certificates = certificates(cursor)?;
    if certificates.len() > MAX_CHAIN {
        return cursor.fail(format_args!("a chain has at most {MAX_CHAIN} certificates"));
    }
    let mut parsed = Vec::with_capacity(certificates.len());
    for certificate in &certificates {
        match X509Certificate::from_der(certificate) {
            Ok((_, certificate)) => parsed.push(certificate),
            Err(_) => return cursor.fail("a certificate in it is malformed"),
        }
    }
    for (index, pair) in parsed.windows(2).enumerate() {
        let [this, next] = pair else { continue };
        if this.issuer().as_raw() != next.subject().as_raw() {
            return cursor.fail(format_args!(
                "the chain is out of order: certificate {} is not issued by the one after it",
                index + 1
            ));
        }
    }
    for (index, certificate) in parsed.iter().enumerate() {
        check_dates(cursor, certificate, index + 1)?;
    }
    let Some(leaf) = parsed.first() else {
        return cursor.fail("no certificate in it");
    };
    let not_after = leaf.validity().not_after.timestamp();
    let leaf = Leaf {
        names: names(leaf),
        not_after,
    };
    Ok((cursor.file()?, certificates, leaf))
}

fn check_dates(cursor: &Cursor<'_>, certificate: &X509Certificate<'_>, number: usize) -> Read<()> {
    let validity = certificate.validity();
    if validity.not_after.timestamp() < cursor.reading.now {
        let date = validity.not_after;
        return cursor.fail(format_args!("certificate {number} expired on {date}"));
    }
    if validity.not_before.timestamp() > cursor.reading.now {
        let date = validity.not_before;
        return cursor.fail(format_args!(
            "certificate {number} is not valid before {date}"
        ));
    }
    Ok(())
}

/// The DNS names it is made for, lower case. The common name does not count (RFC 9525).
fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternatives)) = leaf.subject_alternative_name() else {
        return Vec::new();
    };
    let mut names: Vec<String> = Vec::new();
    for name in &alternatives.value.general_names {
        if let GeneralName::DNSName(name) = name {
            let name = name.to_ascii_lowercase();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

fn certificates(cursor: &Cursor<'_>) -> Read<Vec<CertificateDer<'static>>> {
    let bytes = file(cursor)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => cursor.fail("no PEM certificate in it"),
        Err(_) => cursor.fail("malformed PEM"),
    }
}

fn private_key(cursor: &Cursor<'_>) -> Read<PrivateKeyDer<'static>> {
    let bytes = file(cursor)?;
    // The parser's own error could quote a line of the key.
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) => Ok(key),
        Err(rustls::pki_types::pem::Error::NoItemsFound) => cursor.fail("no PEM key in it"),
        Err(_) => cursor.fail("malformed PEM"),
    }
}

fn file(cursor: &Cursor<'_>) -> Read<Zeroizing<Vec<u8>>> {
    let path = cursor.file()?;
    match disk::read(&path, MAX_FILE, &cursor.reading.seen) {
        Ok(contents) => Ok(contents.bytes),
        Err(error) => cursor.fail(unreadable(&path, &error)),
    }
}

/// Says why a file cannot be used.
fn unreadable(path: &Path, error: &FileError) -> String {
    format!("the file {} {error}", quoted(&path.display().to_string()))
}
