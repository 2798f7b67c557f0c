//! The name of a task that has none: the same ends and databases always give the same name.

use super::check::{Problem, address};
use wherry_model::task::TaskSpec;

/// Characters of each host that a derived name shows.
const HOST_CHARACTERS_MAX: usize = 10;

/// `SOURCE-PORT-to-TARGET-PORT-HASH`, at most 45 characters.
///
/// The first label of each host is shown, cut to ten characters. The hash (32 bits of FNV-1a
/// over both full addresses, the sorted databases and the sorted single tables, all as they are
/// written) keeps apart what the rest does not. Users, passwords, TLS, what is excluded and tuning do
/// not count, so that changing them resumes the same task.
pub fn derive_name(spec: &TaskSpec) -> Result<String, Problem> {
    let source = address(&spec.source, "source")?;
    let target = address(&spec.target, "target")?;
    let mut databases = spec.select.databases.clone();
    databases.sort();
    let mut tables = spec.select.include.clone();
    tables.sort();
    let mut text = format!(
        "{}:{}\n{}:{}\n{}",
        source.host,
        source.port,
        target.host,
        target.port,
        databases.join("\n")
    );
    for table in tables {
        // No name of a database holds a line end and a point, so no other list gives this text.
        text.push_str("\n.");
        text.push_str(&table);
    }
    let hash = fnv1a(text.as_bytes());
    let folded = (hash >> 32) as u32 ^ hash as u32;
    Ok(format!(
        "{}-{}-to-{}-{}-{folded:08x}",
        label(&source.host),
        source.port,
        label(&target.host),
        target.port
    ))
}

fn label(host: &str) -> String {
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let shown = if is_address {
        host
    } else {
        host.split('.').next().unwrap_or(host)
    };
    let shown: String = shown
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(HOST_CHARACTERS_MAX)
        .collect();
    shown.trim_matches('-').to_owned()
}

/// The 64-bit FNV-1a hash; its constants are part of the definition.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn labels_are_short_and_plain() {
        assert_eq!(label("aurora.cluster-x.example.com"), "aurora");
        assert_eq!(label("a-very-long-host-name"), "a-very-lon");
        assert_eq!(label("10.0.0.12"), "10-0-0-12");
        assert_eq!(label("::1"), "1");
    }
}
