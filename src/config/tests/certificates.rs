//! Certificates as files: what is served, and what is refused.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
    KeyIdMethod, KeyPair, RevokedCertParams, date_time_ymd,
};
use tempfile::TempDir;

use super::{PROVIDERS, ROUTES, read_in};
use crate::edge::{ClientAuth, ListenerTls, TlsVersions};

/// A list of revoked certificates: what is in it, and when it holds.
pub(super) struct List {
    from: i32,
    until: i32,
    serials: Vec<u64>,
}

impl Default for List {
    fn default() -> Self {
        Self {
            from: 2000,
            until: 4000,
            serials: Vec::new(),
        }
    }
}

/// A certificate authority of the test.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Writes `NAME.pem` (leaf and authority) and `NAME.key`.
    pub(super) fn issue(&self, folder: &Path, name: &str, hosts: &[&str]) {
        self.issue_with(folder, name, &params(hosts));
    }

    fn issue_with(&self, folder: &Path, name: &str, params: &CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap().pem();
        let text = format!("{leaf}{}", self.pem);
        fs::write(folder.join(format!("{name}.pem")), text).unwrap();
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// Writes a list of its own.
    pub(super) fn write_list(&self, path: &Path, list: &List) {
        fs::write(path, self.list(list)).unwrap();
    }

    fn list(&self, list: &List) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: date_time_ymd(2001, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(list.from, 1, 1),
            next_update: date_time_ymd(list.until, 1, 1),
            crl_number: 1_u64.into(),
            issuing_distribution_point: None,
            revoked_certs: list.serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// Writes the authority's own certificate.
    pub(super) fn write(&self, path: &Path) {
        fs::write(path, &self.pem).unwrap();
    }
}

fn params(hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    CertificateParams::new(hosts).unwrap()
}

/// A folder with a good pair `a` and a good authority `ca.pem`.
fn folder() -> (TempDir, Authority) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("Test Root");
    authority.issue(
        folder.path(),
        "a",
        &["A.example", "*.a.example", "A.example"],
    );
    authority.write(&folder.path().join("ca.pem"));
    (folder, authority)
}

fn with_tls(folder: &Path, tls: &str) -> Result<ListenerTls, String> {
    let listen = "listen: [{address: 127.0.0.1:8443, tls: ";
    let text = format!("{listen}{{{tls}}}}}]\n{PROVIDERS}{ROUTES}");
    let settings = read_in(folder, &text).map_err(|errors| {
        errors
            .to_string()
            .replace(&format!("{}/", folder.display()), "")
    })?;
    Ok(settings.listeners[0].tls.clone().unwrap())
}

#[test]
fn a_good_pair_is_served_for_the_names_in_it() {
    let (folder, _) = folder();
    let tls = with_tls(folder.path(), "certificate: a.pem, key: a.key").unwrap();
    let [certificate] = tls.certificates.as_slice() else {
        panic!("{tls:?}")
    };
    assert_eq!(certificate.names, ["a.example", "*.a.example"]);
    assert_eq!(certificate.key.cert.len(), 2);
    assert_eq!(certificate.path, folder.path().join("a.pem"));
    assert!(certificate.not_after > 1_700_000_000);
    assert_eq!(tls.versions, TlsVersions::From12);
    assert!(tls.http2);
    assert!(matches!(tls.client_auth, ClientAuth::Off));
}

#[test]
fn client_certificates_are_required_once_there_is_an_authority() {
    let (folder, _) = folder();
    let read = |rest: &str| {
        let tls = format!("certificate: a.pem, key: a.key, client_ca: ca.pem{rest}");
        with_tls(folder.path(), &tls).map(|tls| tls.client_auth)
    };
    assert!(matches!(read("").unwrap(), ClientAuth::Required(roots) if roots.len() == 1));
    assert!(matches!(
        read(", client_auth: required").unwrap(),
        ClientAuth::Required(_)
    ));
    assert!(matches!(
        read(", client_auth: optional").unwrap(),
        ClientAuth::Optional(_)
    ));
    let error = read(", client_auth: off").unwrap_err();
    assert!(
        error.ends_with("has no effect: `client_auth` is off"),
        "{error}"
    );
}

#[test]
fn revoked_client_certificates_are_listed_for_every_authority() {
    let (folder, authority) = folder();
    let here = folder.path();
    let other = Authority::new("Other Root");
    let list = |from, until| List {
        from,
        until,
        serials: vec![1, 2],
    };
    authority.write_list(&here.join("good.crl"), &list(2000, 4000));
    authority.write_list(&here.join("old.crl"), &list(2000, 2001));
    authority.write_list(&here.join("early.crl"), &list(3999, 4000));
    other.write_list(&here.join("foreign.crl"), &List::default());
    let both = [
        authority.list(&list(2000, 3000)),
        other.list(&List::default()),
    ]
    .concat();
    fs::write(here.join("both.crl"), both).unwrap();
    let junk = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    fs::write(here.join("junk.crl"), junk).unwrap();
    let good = fs::read_to_string(here.join("good.crl")).unwrap();
    fs::write(here.join("cut.crl"), good.get(..100).unwrap()).unwrap();
    let read = |rest: &str| with_tls(here, &format!("certificate: a.pem, key: a.key, {rest}"));

    let tls = read("client_ca: ca.pem, client_crl: both.crl").unwrap();
    let revoked = tls.revoked.unwrap();
    assert_eq!(revoked.lists.len(), 2);
    assert_eq!(revoked.path, here.join("both.crl"));
    assert_eq!(revoked.until, date_time_ymd(3000, 1, 1).unix_timestamp());
    assert!(read("client_ca: ca.pem, client_crl: good.crl").is_ok());
    for (rest, expected) in [
        ("client_crl: good.crl", "client_crl: needs `client_ca`"),
        (
            "client_ca: ca.pem, client_crl: old.crl",
            "the list of \"CN=Test Root\" ended on Jan  1 00:00:00 2001 +00:00",
        ),
        (
            "client_ca: ca.pem, client_crl: early.crl",
            "does not hold before Jan  1 00:00:00 3999 +00:00",
        ),
        (
            "client_ca: ca.pem, client_crl: foreign.crl",
            "an authority of `client_ca` has no list in it",
        ),
        (
            "client_ca: ca.pem, client_crl: ca.pem",
            "client_crl: no PEM list in it",
        ),
        (
            "client_ca: ca.pem, client_crl: junk.crl",
            "client_crl: a list in it is malformed",
        ),
        (
            "client_ca: ca.pem, client_crl: cut.crl",
            "client_crl: malformed PEM",
        ),
    ] {
        let error = read(rest).unwrap_err();
        assert!(error.ends_with(expected), "{rest}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

fn refused(here: &Path, cases: &[(&str, &str, &str)]) {
    for (certificate, key, expected) in cases {
        let error = with_tls(here, &format!("certificate: {certificate}, key: {key}")).unwrap_err();
        assert!(error.ends_with(expected), "{certificate} {key}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_pair_that_cannot_serve_is_refused_with_its_reason() {
    let (folder, authority) = folder();
    let here = folder.path();
    authority.issue(here, "b", &["b.example"]);
    let chain = fs::read_to_string(here.join("a.pem")).unwrap();
    let leaf = chain.replace(&authority.pem, "");
    let stranger = Authority::new("Stranger");
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, text) in [
        ("reversed.pem", format!("{}{leaf}", authority.pem)),
        ("wrong_root.pem", format!("{leaf}{}", stranger.pem)),
        ("long.pem", leaf.repeat(11)),
        ("empty.pem", String::new()),
        ("cut.pem", leaf.get(..200).unwrap().to_owned()),
        ("junk.pem", junk.to_owned()),
    ] {
        fs::write(here.join(name), text).unwrap();
    }
    refused(
        here,
        &[
            (
                "a.pem",
                "b.key",
                "key: the key does not belong to the certificate",
            ),
            (
                "reversed.pem",
                "a.key",
                "certificate 1 is not issued by the one after it",
            ),
            (
                "wrong_root.pem",
                "a.key",
                "certificate 1 is not issued by the one after it",
            ),
            (
                "long.pem",
                "a.key",
                "certificate: a chain has at most 10 certificates",
            ),
            (
                "empty.pem",
                "a.key",
                "certificate: no PEM certificate in it",
            ),
            ("a.key", "a.key", "certificate: no PEM certificate in it"),
            ("a.pem", "a.pem", "key: no PEM key in it"),
            ("cut.pem", "a.key", "certificate: malformed PEM"),
            (
                "junk.pem",
                "a.key",
                "certificate: a certificate in it is malformed",
            ),
            (".", "a.key", "is not a regular file"),
        ],
    );
}

#[test]
fn a_certificate_outside_its_dates_is_refused() {
    let (folder, authority) = folder();
    let mut old = params(&["a.example"]);
    (old.not_before, old.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    authority.issue_with(folder.path(), "old", &old);
    let mut early = params(&["a.example"]);
    (early.not_before, early.not_after) = (date_time_ymd(4000, 1, 1), date_time_ymd(4001, 1, 1));
    authority.issue_with(folder.path(), "early", &early);
    let expired = "certificate 1 expired on Jan  1 00:00:00 2001 +00:00";
    let not_yet = "certificate 1 is not valid before Jan  1 00:00:00 4000 +00:00";
    let cases = [
        ("old.pem", "old.key", expired),
        ("early.pem", "early.key", not_yet),
    ];
    refused(folder.path(), &cases);
}

#[test]
fn a_key_is_never_quoted_by_an_error() {
    let (folder, _) = folder();
    let key = fs::read_to_string(folder.path().join("a.key")).unwrap();
    let line = key.lines().nth(1).unwrap().to_owned();
    let broken = key.replace(&line, &format!("-----BEGIN {line}"));
    fs::write(folder.path().join("a.key"), broken).unwrap();
    let error = with_tls(folder.path(), "certificate: a.pem, key: a.key").unwrap_err();
    assert!(
        error.ends_with("malformed PEM") && !error.contains(&line),
        "{error}"
    );
}

#[test]
fn two_certificates_for_one_name_are_refused() {
    let (folder, authority) = folder();
    authority.issue(folder.path(), "b", &["b.example", "a.example"]);
    authority.issue(folder.path(), "c", &["c.example"]);
    authority.issue(folder.path(), "nameless", &[]);
    let pairs = |names: &[&str]| {
        let pair = |name: &&str| format!("{{certificate: {name}.pem, key: {name}.key}}");
        let pairs: Vec<String> = names.iter().map(pair).collect();
        with_tls(
            folder.path(),
            &format!("certificates: [{}]", pairs.join(", ")),
        )
    };
    assert_eq!(
        pairs(&["nameless", "a", "c"]).unwrap().certificates.len(),
        3
    );
    let error = pairs(&["a", "b"]).unwrap_err();
    assert!(
        error.ends_with("certificate: \"a.example\" is served by listen[0].tls.certificates[0]"),
        "{error}"
    );
    let error = pairs(&["a", "nameless"]).unwrap_err();
    assert!(
        error.ends_with("names no host, so that no client could ever choose it"),
        "{error}"
    );
}

#[test]
fn a_private_authority_must_be_one() {
    let (folder, _) = folder();
    fs::write(folder.path().join("text.pem"), "no certificate").unwrap();
    let read = |ca: &str| {
        let provider = format!(
            "{{dialect: openai, base_url: https://a.example, tls: {{ca: {ca}, http2: true}}}}"
        );
        let text =
            format!("listen: [{{address: 127.0.0.1:1}}]\nproviders: {{a: {provider}}}\n{ROUTES}");
        read_in(folder.path(), &text)
    };
    let tls = read("ca.pem").unwrap().providers[0]
        .spec
        .pool
        .tls
        .clone()
        .unwrap();
    assert_eq!(
        (tls.ca.unwrap().len(), tls.http2, tls.name.as_str()),
        (1, true, "a.example")
    );
    let error = read("text.pem").unwrap_err().to_string();
    assert!(
        error.ends_with("providers.a.tls.ca: no PEM certificate in it"),
        "{error}"
    );
}
