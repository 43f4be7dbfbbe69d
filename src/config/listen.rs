//! `listen` and `admin`: where clients and operators connect.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::certificate;
use super::cursor::{Cursor, Read, all};
use super::path::quoted;
use super::section::Section;
use crate::edge::{
    AdminSettings, CertifiedName, ClientAuth, ListenerSettings, ListenerTls, RevokedCertificates,
    Tls, TlsVersions,
};

/// The most listeners: systemd and Pingora hand over at most 32 sockets.
const MOST: usize = 32;

/// The admin listener's address unless another is set.
pub const ADMIN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9464));

const VERSIONS: [(&str, TlsVersions); 2] =
    [("1.2", TlsVersions::From12), ("1.3", TlsVersions::Only13)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Auth {
    Off,
    Optional,
    Required,
}

const AUTHS: [(&str, Auth); 3] = [
    ("off", Auth::Off),
    ("optional", Auth::Optional),
    ("required", Auth::Required),
];

/// The addresses that are taken, and where they were written.
pub(super) type Bound<'a> = Vec<(SocketAddr, Cursor<'a>)>;

/// Reads all listeners. `bound` gets every good address, whatever else is wrong.
pub(super) fn read<'a>(cursor: &Cursor<'a>, bound: &mut Bound<'a>) -> Read<Vec<ListenerSettings>> {
    let items = cursor.some_items()?;
    if items.len() > MOST {
        return cursor.fail(format_args!("at most {MOST} listeners"));
    }
    all(items.iter().map(|cursor| {
        let mut section = Section::open(cursor)?;
        let address = section.required("address").and_then(|cursor| {
            let address = address(&cursor)?;
            free(&cursor, address, bound)?;
            bound.push((address, cursor));
            Ok(address)
        });
        let tls = section.maybe("tls", tls);
        section.close();
        Ok(ListenerSettings {
            address: address?,
            tls: tls?,
        })
    }))
}

/// Reads the admin listener: `off`, or an address. It asks for no key, hence loopback only.
pub(super) fn admin(section: &mut Section<'_>, bound: &Bound<'_>) -> Read<AdminSettings> {
    let address = match section.optional("admin") {
        Some(cursor) if cursor.is_text() => {
            cursor.choice(&[("off", ())])?;
            return Ok(AdminSettings { address: None });
        }
        Some(cursor) => {
            let mut section = Section::open_or(&cursor, "off or a map")?;
            let address = section.maybe("address", |cursor| admin_address(cursor, bound));
            section.close();
            address?
        }
        None => None,
    };
    if let (None, Some((_, cursor))) = (address, bound.iter().find(|(it, _)| collide(ADMIN, *it))) {
        return cursor.fail(format_args!("`admin` listens at {ADMIN} unless it is set"));
    }
    Ok(AdminSettings {
        address: Some(address.unwrap_or(ADMIN)),
    })
}

/// The admin listener of a file, and nothing else of it: the rest may be wrong, or out of reach for
/// whoever only asks.
pub(super) fn admin_only(root: &Cursor<'_>) -> Read<AdminSettings> {
    admin(&mut Section::open(root)?, &Vec::new())
}

fn admin_address(cursor: &Cursor<'_>, bound: &Bound<'_>) -> Read<SocketAddr> {
    let address = address(cursor)?;
    if !address.ip().is_loopback() {
        return cursor.fail(format_args!("{address} is not a loopback address"));
    }
    free(cursor, address, bound)?;
    Ok(address)
}

fn address(cursor: &Cursor<'_>) -> Read<SocketAddr> {
    let text = cursor.text()?;
    text.parse().or_else(|_| {
        cursor.fail(format_args!(
            "{} is not an address with a port, such as 127.0.0.1:8080 or [::]:8443",
            quoted(text)
        ))
    })
}

fn free(cursor: &Cursor<'_>, address: SocketAddr, bound: &Bound<'_>) -> Read<()> {
    match bound.iter().find(|(other, _)| collide(address, *other)) {
        Some((_, other)) => cursor.fail(format_args!("{address} is taken by {}", other.path())),
        None => Ok(()),
    }
}

/// Whether only one of them can be bound. Port 0 asks for a free one each time.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    let same_ip = one.ip() == other.ip() || (any && one.is_ipv4() == other.is_ipv4());
    one.port() != 0 && one.port() == other.port() && same_ip
}

fn tls(cursor: &Cursor<'_>) -> Read<ListenerTls> {
    let mut section = Section::open(cursor)?;
    let certificates = certificates(&mut section, cursor);
    let versions = section.or("min_version", TlsVersions::default(), |cursor| {
        cursor.choice(&VERSIONS)
    });
    let http2 = section.or("http2", true, Cursor::boolean);
    let clients = clients(&mut section);
    section.close();
    let (client_auth, revoked) = clients?;
    let tls = ListenerTls {
        certificates: certificates?,
        versions: versions?,
        client_auth,
        revoked,
        http2: http2?,
    };
    // The last word is that of who will use it.
    match Tls::prepare(&tls) {
        Ok(_) => Ok(tls),
        Err(error) => {
            let source = error.source().map(|source| format!(": {source}"));
            cursor.fail_at_key(format_args!("{error}{}", source.unwrap_or_default()))
        }
    }
}

/// One pair in the section itself, or a list of them.
fn certificates(section: &mut Section<'_>, cursor: &Cursor<'_>) -> Read<Vec<CertifiedName>> {
    let list = section.optional("certificates");
    let (certificate, key) = (section.optional("certificate"), section.optional("key"));
    match (list, certificate, key) {
        (Some(list), None, None) => several(&list),
        (None, Some(certificate), Some(key)) => Ok(vec![certificate::pair(&certificate, &key)?]),
        _ => cursor.fail_at_key("needs `certificate` and `key`, or a list of `certificates`"),
    }
}

fn several(cursor: &Cursor<'_>) -> Read<Vec<CertifiedName>> {
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    let items = cursor.some_items()?;
    all(items.iter().enumerate().map(|(index, item)| {
        let mut section = Section::open(item)?;
        let (certificate, key) = (section.required("certificate"), section.required("key"));
        section.close();
        let certificate = certificate?;
        let pair = certificate::pair(&certificate, &key?)?;
        if pair.names.is_empty() && index > 0 {
            return certificate.fail("names no host, so that no client could ever choose it");
        }
        for name in &pair.names {
            if let Some(owner) = owners.insert(name.clone(), item.path().to_owned()) {
                return certificate.fail(format_args!("{} is served by {owner}", quoted(name)));
            }
        }
        Ok(pair)
    }))
}

/// `client_ca`, `client_auth` and `client_crl` hold only together.
fn clients(section: &mut Section<'_>) -> Read<(ClientAuth, Option<RevokedCertificates>)> {
    let ca = section.maybe("client_ca", |cursor| {
        Ok((certificate::roots(cursor)?, cursor.clone()))
    });
    let auth = section.maybe("client_auth", |cursor| {
        Ok((cursor.choice(&AUTHS)?, cursor.clone()))
    });
    let lists = section.optional("client_crl");
    let ca = ca?;
    let revoked = match (lists, &ca) {
        (None, _) => Ok(None),
        (Some(cursor), None) => cursor.fail("needs `client_ca`"),
        (Some(cursor), Some((roots, _))) => certificate::revoked(&cursor, roots).map(Some),
    };
    let auth = match (ca, auth?) {
        (None, None | Some((Auth::Off, _))) => Ok(ClientAuth::Off),
        (None, Some((_, cursor))) => cursor.fail("needs `client_ca`"),
        (Some((_, cursor)), Some((Auth::Off, _))) => {
            cursor.fail("has no effect: `client_auth` is off")
        }
        (Some((roots, _)), Some((Auth::Optional, _))) => Ok(ClientAuth::Optional(roots)),
        (Some((roots, _)), None | Some((Auth::Required, _))) => Ok(ClientAuth::Required(roots)),
    };
    Ok((auth?, revoked?))
}
