//! Character sets and collations as each flavour names them and chooses them by itself.

use crate::ddl::statement::Dialect;

/// The collation that a server takes where a text names a character set alone.
///
/// Source: MySQL manual, "Supported Character Sets and Collations"; `SHOW CHARACTER SET`.
pub(in crate::ddl) fn default_collation(charset: &str, dialect: Dialect) -> Option<String> {
    let charset = charset_name(charset, true);
    let unicode = matches!(
        charset.as_str(),
        "utf8mb3" | "utf8mb4" | "utf16" | "utf32" | "ucs2"
    );
    if dialect.mariadb && dialect.version >= 110_500 && unicode {
        return Some(format!("{charset}_uca1400_ai_ci"));
    }
    if charset == "utf8mb4" && !dialect.mariadb && dialect.version >= 80_001 {
        return Some("utf8mb4_0900_ai_ci".to_owned());
    }
    let suffix = match charset.as_str() {
        "binary" => return Some("binary".to_owned()),
        "latin1" | "dec8" | "swe7" => "swedish_ci",
        "big5" | "gb2312" | "gbk" | "gb18030" => "chinese_ci",
        "ujis" | "sjis" | "cp932" | "eucjpms" => "japanese_ci",
        "hp8" => "english_ci",
        "tis620" => "thai_ci",
        "euckr" => "korean_ci",
        "latin5" => "turkish_ci",
        "cp850" | "koi8r" | "latin2" | "ascii" | "hebrew" | "koi8u" | "greek" | "cp1250"
        | "armscii8" | "utf8mb3" | "ucs2" | "cp866" | "keybcs2" | "macce" | "macroman"
        | "cp852" | "latin7" | "utf8mb4" | "cp1251" | "utf16" | "utf16le" | "cp1256" | "cp1257"
        | "utf32" | "geostd8" => "general_ci",
        _ => return None,
    };
    Some(format!("{charset}_{suffix}"))
}

/// True where the server spells the old three-byte set `utf8mb3`.
///
/// MySQL took the new spelling for collations in 8.0.30.
pub(super) fn says_utf8mb3(dialect: Dialect) -> bool {
    dialect.mariadb || dialect.version >= 80_030
}

/// The character set in lower case, with the wanted spelling of `utf8mb3`.
pub(super) fn charset_name(charset: &str, utf8mb3: bool) -> String {
    let lower = charset.to_ascii_lowercase();
    match (lower.as_str(), utf8mb3) {
        ("utf8", true) => "utf8mb3".to_owned(),
        ("utf8mb3", false) => "utf8".to_owned(),
        _ => lower,
    }
}

/// The character set as the target spells it.
pub(crate) fn charset_at(charset: &str, to: Dialect) -> String {
    charset_name(charset, says_utf8mb3(to))
}

/// The collation in lower case, with the wanted spelling of `utf8mb3`.
pub(in crate::ddl) fn collation_name(collation: &str, utf8mb3: bool) -> String {
    let lower = collation.to_ascii_lowercase();
    let (old, new) = if utf8mb3 {
        ("utf8_", "utf8mb3_")
    } else {
        ("utf8mb3_", "utf8_")
    };
    match lower.strip_prefix(old) {
        Some(rest) => format!("{new}{rest}"),
        None => lower,
    }
}

/// The character set that a collation belongs to.
pub(super) fn charset_of(collation: &str) -> String {
    let prefix = collation.split('_').next().unwrap_or_default();
    charset_name(prefix, true)
}

/// The collation as the target has it: renamed, or `None` where it has none that sorts the same.
pub(crate) fn collation_at(collation: &str, from: Dialect, to: Dialect) -> Option<String> {
    let name = collation_name(collation, says_utf8mb3(to));
    if to.mariadb == from.mariadb && to.version >= from.version {
        return Some(name);
    }
    if from.mariadb && !to.mariadb {
        let own = ["_nopad_", "_uca1400_", "_thai_520_w2", "_myanmar_ci"];
        let own = own.iter().any(|part| name.contains(part));
        if own || name.ends_with("_nopad_bin") || name.ends_with("_croatian_ci") {
            return None;
        }
        return Some(name.replace("_croatian_mysql561_ci", "_croatian_ci"));
    }
    let newer = name.contains("_0900_") && (to.mariadb || to.version < 80_001);
    (!newer).then_some(name)
}
