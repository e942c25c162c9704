//! Hundreds of ways to name an inner address are refused; ordinary addresses are not.

use std::net::Ipv4Addr;

use super::*;

/// One address or more out of every range that is not public.
#[rustfmt::skip]
const INNER: &[[u8; 4]] = &[
    [127, 0, 0, 1], [127, 0, 0, 0], [127, 255, 255, 254], [127, 1, 2, 3], [10, 0, 0, 1],
    [10, 255, 255, 255], [172, 16, 0, 1], [172, 31, 255, 254], [192, 168, 0, 1],
    [192, 168, 255, 255], [169, 254, 169, 254], [169, 254, 0, 1], [169, 254, 170, 2],
    [100, 64, 0, 1], [100, 100, 100, 200], [100, 127, 255, 255], [0, 0, 0, 0], [0, 1, 2, 3],
    [192, 0, 0, 192], [192, 0, 2, 1], [192, 88, 99, 1], [198, 18, 0, 1], [198, 19, 255, 255],
    [198, 51, 100, 7], [203, 0, 113, 9], [224, 0, 0, 1], [239, 255, 255, 255], [240, 0, 0, 1],
    [255, 255, 255, 255], [168, 63, 129, 16],
];

/// Every notation of an IPv4 address that some reader of URLs takes.
fn notations(ip: [u8; 4]) -> Vec<String> {
    let [a, b, c, d] = ip;
    let n = u32::from(Ipv4Addr::from(ip));
    let tail = n & 0x00ff_ffff;
    let pair = n & 0xffff;
    let fullwidth = |text: &str| -> String {
        text.chars()
            .map(|ch| {
                char::from_u32(ch as u32 + 0xfee0)
                    .filter(|_| ch.is_ascii_digit())
                    .unwrap_or(ch)
            })
            .collect()
    };
    let percent: String = format!("{a}.{b}.{c}.{d}")
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{n}"),
        format!("0x{n:x}"),
        format!("0X{n:X}"),
        format!("0{n:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a}.{tail}"),
        format!("{a}.{b}.{pair}"),
        format!("0x{a:x}.{b}.0{pair:o}"),
        format!("000{a:o}.{b}.{c}.{d}"),
        fullwidth(&format!("{a}.{b}.{c}.{d}")),
        format!("{a}\u{3002}{b}\u{3002}{c}\u{3002}{d}"),
        format!("{a}\u{ff0e}{b}\u{ff0e}{c}\u{ff0e}{d}"),
        percent,
        format!("{a}.{b}.{c}.{d}."),
        format!("[::ffff:{a}.{b}.{c}.{d}]"),
        format!("[::{a}.{b}.{c}.{d}]"),
        format!("[2002:{:x}:{:x}::1]", n >> 16, pair),
        format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b:1::{a}.{b}.{c}.{d}]"),
        format!("[2606:4700::5efe:{:x}:{:x}]", n >> 16, pair),
    ]
}

#[rustfmt::skip]
const NAMES: &[&str] = &[
    "localhost", "LOCALHOST", "LocalHost", "localhost.", "a.localhost", "a.b.localhost",
    "localhost.localdomain", "loc\u{ad}alhost", "\u{24db}ocalhost", "localhost4", "ip6-loopback",
    "metadata", "metadata.google.internal", "METADATA.GOOGLE.INTERNAL",
    "metadata.google.internal.", "metadata.goog", "x.metadata.goog", "instance-data",
    "instance-data.ec2.internal", "metadata.platformequinix.com", "printer.local", "nas.lan",
    "router.home", "db.internal", "db.corp", "wiki.intranet", "gw.home.arpa", "a.test",
    "a.invalid", "a.example", "a.onion", "1.0.0.127.in-addr.arpa", "kubernetes",
    "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "vault.service.consul",
    "127.0.0.1.nip.io", "10-0-0-1.sslip.io", "app.127.0.0.1.xip.io", "nip.io", "localtest.me",
    "a.localtest.me", "lvh.me", "a.lvh.me", "vcap.me", "7f000001.c0a80001.rbndr.us", "postgres",
    "redis", "db", "x",
];

#[rustfmt::skip]
const OTHER: &[(&str, Refusal)] = &[
    ("", Refusal::Malformed), (" ", Refusal::Malformed), ("https:", Refusal::Malformed),
    ("https:/", Refusal::Malformed), ("https://", Refusal::Malformed),
    ("https:///", Refusal::Malformed), ("https:example.com", Refusal::Malformed),
    ("https:/example.com", Refusal::Malformed), ("https:///example.com", Refusal::Malformed),
    ("https://?x", Refusal::Malformed), ("https://#x", Refusal::Malformed),
    ("//example.com", Refusal::Malformed), ("/path", Refusal::Malformed),
    ("example.com", Refusal::Malformed), ("https:\\\\example.com", Refusal::Malformed),
    ("https://example.com\\@10.0.0.1/", Refusal::Malformed),
    ("https://exa mple.com/", Refusal::Malformed), (" https://example.com/", Refusal::Malformed),
    ("https://example.com/ ", Refusal::Malformed), ("https://exam\tple.com/", Refusal::Malformed),
    ("https://example.com/\r\nHost: x", Refusal::Malformed),
    ("https://example.com\u{0}/", Refusal::Malformed),
    ("https://exam\u{a0}ple.com/", Refusal::Malformed),
    ("https://example.com./", Refusal::Malformed), ("https://.example.com/", Refusal::Malformed),
    ("https://example..com/", Refusal::Malformed), ("https://-example.com/", Refusal::Malformed),
    ("https://exam!ple.com/", Refusal::Malformed), ("https://[::1/", Refusal::Malformed),
    ("https://::1/", Refusal::Malformed), ("https://[fe80::1%25eth0]/", Refusal::Malformed),
    ("https://[1.2.3.4]/", Refusal::Malformed), ("https://1.2.3.4.5/", Refusal::Malformed),
    ("https://256.1.1.1/", Refusal::Malformed), ("https://4294967296/", Refusal::Malformed),
    ("https://0x100000000/", Refusal::Malformed),
    ("https://example.com:99999/", Refusal::Malformed),
    ("https://example.com:x/", Refusal::Malformed), ("https://xn--a/", Refusal::Malformed),
    ("https://%00.example.com/", Refusal::Malformed),
    ("https://exam%2fple.com/", Refusal::Malformed), ("https://%zz.com/", Refusal::Malformed),
    ("http://example.com/", Refusal::Scheme), ("HTTP://example.com/", Refusal::Scheme),
    ("ftp://example.com/", Refusal::Scheme), ("file:///etc/passwd", Refusal::Scheme),
    ("gopher://example.com/", Refusal::Scheme), ("data:text/plain,x", Refusal::Scheme),
    ("javascript:alert(1)", Refusal::Scheme), ("ws://example.com/", Refusal::Scheme),
    ("wss://example.com/", Refusal::Scheme), ("dict://example.com:11211/", Refusal::Scheme),
    ("ldap://example.com/", Refusal::Scheme), ("blob:https://x", Refusal::Scheme),
    ("view-source:https://x", Refusal::Scheme), ("jar:https://x!/", Refusal::Scheme),
    ("1https://example.com/", Refusal::Scheme),
    ("https://user@example.com/", Refusal::Credentials),
    ("https://user:pw@example.com/", Refusal::Credentials),
    ("https://:pw@example.com/", Refusal::Credentials),
    ("https://@example.com/", Refusal::Credentials),
    ("https://example.com@10.0.0.1/", Refusal::Credentials),
    ("https://example.com%40x@10.0.0.1/", Refusal::Credentials),
    ("https://example.com:443@10.0.0.1:443/", Refusal::Credentials),
    ("https://example.com:80/", Refusal::Port), ("https://example.com:22/", Refusal::Port),
    ("https://example.com:0/", Refusal::Port), ("https://example.com:6379/", Refusal::Port),
    ("https://example.com:8080/", Refusal::Port), ("https://example.com:00000025/", Refusal::Port),
    ("https://example.com:65535/", Refusal::Port),
];

#[rustfmt::skip]
const V6: &[&str] = &[
    "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::0001]", "[fe80::1]", "[febf::1]", "[fec0::1]",
    "[fc00::1]", "[fd00:ec2::254]", "[fdff::1]", "[ff02::1]", "[ff0e::1]", "[100::1]",
    "[2001:db8::1]", "[2001:DB8::1]", "[3fff::1]", "[2001::1]", "[2001:0:7f00:1::]",
    "[2001:10::1]", "[2001:20::1]", "[2002::1]", "[64:ff9b::1]", "[5f00::1]",
    "[::ffff:0:127.0.0.1]", "[4000::1]", "[e000::1]", "[::ffff:8.8.8.8]", "[2002:808:808::1]",
    "[64:ff9b::8.8.8.8]", "[::8.8.8.8]",
];

#[test]
fn inner_addresses_are_refused_in_every_notation() {
    let policy = Policy::strict();
    let mut cases = 0;
    for ip in INNER {
        for host in notations(*ip) {
            for url in [
                format!("https://{host}/hook"),
                format!("HTTPS://{host}:8443"),
            ] {
                let refused = judge(&url, &policy).expect_err(&url);
                assert!(
                    matches!(
                        refused,
                        Refusal::Address | Refusal::Malformed | Refusal::Name
                    ),
                    "{url} {refused:?}"
                );
                cases += 1;
            }
        }
    }
    for host in NAMES.iter().chain(V6) {
        let url = format!("https://{host}/hook");
        let refused = judge(&url, &policy).expect_err(&url);
        assert!(
            matches!(
                refused,
                Refusal::Address | Refusal::Malformed | Refusal::Name
            ),
            "{url} {refused:?}"
        );
        cases += 1;
    }
    for (url, why) in OTHER {
        assert_eq!(judge(url, &policy), Err(*why), "{url:?}");
        cases += 1;
    }
    assert!(cases >= 1_400, "{cases}");
}

#[test]
fn the_plain_notation_of_an_inner_address_is_told_as_such() {
    for ip in INNER {
        let [a, b, c, d] = ip;
        assert_eq!(
            judge(&format!("https://{a}.{b}.{c}.{d}/"), &Policy::strict()),
            Err(Refusal::Address),
            "{ip:?}"
        );
    }
    for host in V6 {
        assert_eq!(
            judge(&format!("https://{host}/"), &Policy::strict()),
            Err(Refusal::Address),
            "{host}"
        );
    }
    assert_eq!(
        judge(
            &format!("https://example.com/{}", "a".repeat(MAX_URL)),
            &Policy::strict()
        ),
        Err(Refusal::TooLong)
    );
}

#[test]
fn ordinary_addresses_pass() {
    #[rustfmt::skip]
    let hosts = [
        "example.com", "example.org", "hooks.slack.com", "api.openai.com", "discord.com",
        "outlook.office.com", "a.b.c.d.example.co.uk", "xn--bcher-kva.de", "b\u{fc}cher.de",
        "EXAMPLE.COM", "my_host.example.com", "1.example.com", "localhost.example.com",
        "internal.example.com", "metadata.example.com", "local.example.com", "mylocalhost.com",
        "notinternal.com", "nip.io.example.com", "thenip.io", "test.com", "home.de", "lan.party",
        "127.0.0.1.example.com", "10.example.com", "1.1.1.1", "8.8.8.8", "9.255.255.255",
        "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
        "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
        "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.15",
        "134744072", "0x08080808", "192.0.1.1", "192.0.3.1", "[2606:4700:4700::1111]",
        "[2001:4860:4860::8888]", "[2a00:1450::1]", "[2003::1]", "[2001:200::1]", "[2620:fe::fe]",
    ];
    let policy = Policy::strict();
    let mut cases = 0;
    for host in hosts {
        for rest in ["", "/", "/a/b?c=d&e=@f#g", ":443/x", ":8443/%2e%2e/x"] {
            let url = format!("https://{host}{rest}");
            let target = judge(&url, &policy).unwrap_or_else(|why| panic!("{url} {why:?}"));
            assert!(
                target.https
                    && !target.url.contains('#')
                    && target.host == target.host.to_lowercase()
            );
            assert_eq!(
                judge(&target.url, &policy).as_ref(),
                Ok(&target),
                "the normal form is its own"
            );
            cases += 1;
        }
    }
    assert!(cases >= 250, "{cases}");
}

#[test]
fn what_is_judged_is_what_is_called() {
    let policy = Policy {
        allow_http: true,
        ..Policy::strict()
    };
    let policy = Policy {
        ports: vec![80, 443],
        ..policy
    };
    let target = judge(
        "HTTP://B\u{fc}cher.DE:80/\u{fc}?q=a b"
            .replace(' ', "+")
            .as_str(),
        &policy,
    )
    .unwrap();
    assert_eq!(target.url, "http://xn--bcher-kva.de/%C3%BC?q=a+b");
    assert_eq!(
        (target.https, target.host.as_str(), target.port),
        (false, "xn--bcher-kva.de", 80)
    );
    assert_eq!(
        judge("https://[2606:4700::1]/", &policy).unwrap().host,
        "[2606:4700::1]"
    );
    assert_eq!(
        judge("https://134744072/", &policy).unwrap().host,
        "8.8.8.8"
    );
}

#[test]
fn every_hop_of_a_redirect_is_judged() {
    let policy = Policy {
        allow_http: true,
        ports: vec![],
        ..Policy::strict()
    };
    let from = judge("https://example.com/a/b", &policy).unwrap();
    assert_eq!(
        redirect(&from, "../c", 0, &policy).unwrap().url,
        "https://example.com/c"
    );
    assert_eq!(
        redirect(&from, "//example.org/x", 4, &policy).unwrap().url,
        "https://example.org/x"
    );
    for (location, why) in [
        ("http://169.254.169.254/latest/meta-data/", Refusal::Address),
        ("https://[::1]/", Refusal::Address),
        ("//localhost/", Refusal::Name),
        ("https://0x7f.1/", Refusal::Address),
        ("http://example.org/", Refusal::Downgrade),
        ("file:///etc/passwd", Refusal::Scheme),
        ("https://u:p@example.org/", Refusal::Credentials),
        ("/\\10.0.0.1/", Refusal::Malformed),
        ("https://", Refusal::Malformed),
    ] {
        assert_eq!(
            redirect(&from, location, 0, &policy),
            Err(why),
            "{location}"
        );
    }
    assert_eq!(
        redirect(&from, "/x", MAX_HOPS, &policy),
        Err(Refusal::TooManyRedirects)
    );
    assert_eq!(
        redirect(&from, &"x".repeat(MAX_URL + 1), 0, &policy),
        Err(Refusal::TooLong)
    );
}

#[test]
fn hosts_of_other_protocols_are_judged_alike() {
    let policy = Policy {
        ports: vec![25, 587, 5432],
        ..Policy::strict()
    };
    assert_eq!(
        judge_host("DB.Example.com", 5432, &policy).as_deref(),
        Ok("db.example.com")
    );
    assert_eq!(
        judge_host("2606:4700::1", 587, &policy).as_deref(),
        Ok("[2606:4700::1]")
    );
    for (host, port, why) in [
        ("db.example.com", 22, Refusal::Port),
        ("localhost", 5432, Refusal::Name),
        ("0x7f000001", 25, Refusal::Address),
        ("::1", 25, Refusal::Address),
        ("[::1]", 25, Refusal::Address),
        ("::ffff:10.0.0.1", 25, Refusal::Address),
        ("a b", 25, Refusal::Malformed),
        ("", 25, Refusal::Malformed),
        ("a/b", 25, Refusal::Malformed),
        ("u@example.com", 25, Refusal::Malformed),
        ("example.com.", 25, Refusal::Malformed),
    ] {
        assert_eq!(judge_host(host, port, &policy), Err(why), "{host}");
    }
}

#[test]
fn an_open_policy_lets_private_hosts_through_but_no_nonsense() {
    let policy = Policy::open();
    for url in [
        "http://127.0.0.1:8788/hook",
        "http://localhost:3000/",
        "https://db.internal/",
        "http://[::1]:9/",
        "http://postgres/",
    ] {
        assert!(judge(url, &policy).is_ok(), "{url}");
    }
    for url in [
        "ftp://localhost/",
        "http://u@localhost/",
        "http://localhost:0/",
        "http://a..b/",
        "http://localhost./",
    ] {
        assert!(judge(url, &policy).is_err(), "{url}");
    }
    assert!(judge_ip("10.0.0.1".parse().unwrap(), &policy).is_ok());
    assert_eq!(
        judge_ip("10.0.0.1".parse().unwrap(), &Policy::strict()),
        Err(Refusal::Address)
    );
}
