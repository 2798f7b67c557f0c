//! Licences of everything that is compiled in: permissive ones only.

use serde_json::Value;

/// Licences that ask for a notice at most.
const PERMISSIVE: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

pub fn findings(metadata: &Value) -> Vec<String> {
    let empty = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&empty);
    let refused = packages.iter().filter_map(|package| {
        let name = package["name"].as_str().unwrap_or("?");
        let licence = package["license"].as_str().unwrap_or("");
        (!is_permissive(licence)).then(|| {
            format!("dependency {name}: licence `{licence}` is not on the list of permissive ones")
        })
    });
    refused.collect()
}

/// Judges an SPDX expression: OR needs one good side, AND needs all.
fn is_permissive(expression: &str) -> bool {
    let expression = expression.trim();
    // Some older crates separate alternatives by a slash.
    split_outside(expression, &[" OR ", "/"])
        .iter()
        .any(|alternative| {
            split_outside(alternative, &[" AND "]).iter().all(|part| {
                let part = part.trim();
                match part
                    .strip_prefix('(')
                    .and_then(|inner| inner.strip_suffix(')'))
                {
                    Some(inner) => is_permissive(inner),
                    None => PERMISSIVE.contains(&part),
                }
            })
        })
}

/// Splits at separators that stand outside parentheses.
fn split_outside<'a>(text: &'a str, separators: &[&str]) -> Vec<&'a str> {
    let (mut parts, mut depth, mut from, mut at) = (Vec::new(), 0, 0, 0);
    while at < text.len() {
        let rest = &text[at..];
        match rest.as_bytes()[0] {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        match separators
            .iter()
            .find(|separator| depth == 0 && rest.starts_with(**separator))
        {
            Some(separator) => {
                parts.push(&text[from..at]);
                at += separator.len();
                from = at;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    parts.push(&text[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expected: bool) {
        assert_eq!(is_permissive(expression), expected, "{expression}");
    }

    #[test]
    fn expressions_are_judged_as_a_whole() {
        check("MIT", true);
        check("MIT/Apache-2.0", true);
        check("GPL-3.0 OR MIT", true);
        check("(MIT OR GPL-2.0) AND Unicode-3.0", true);
        check("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true);
        check("MIT AND GPL-3.0", false);
        check("(MIT OR Apache-2.0) AND MPL-2.0", false);
        check("LGPL-2.1", false);
        check("", false);
    }
}
