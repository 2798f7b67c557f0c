//! Collation weights of single characters, as the source tells them.
//!
//! What a text is hashed by: the weights of its characters, one after the other, without trailing
//! spaces. Two texts that the server calls equal must have the same; unequal ones may. So:
//!
//! - Only the first level counts, and of a Unicode collation only weights that no contraction
//!   touches: those of [`PLAIN`] characters, also where another character has them (`Ä`, `㎏`).
//!   Other weights are left out, which makes more texts meet.
//! - Trailing spaces are cut off by weight, whether or not the collation pads.
//! - A collation whose weights do not follow each other as its characters do is *not proven*, and
//!   all its texts are the same. [`prove`](Weights::prove) asks the server about pairs of characters;
//!   tailored collations, which may have longer contractions, are not even tried.
//!
//! Source: MySQL manual, "WEIGHT_STRING()" and "Unicode Character Sets"; the test
//! `equal_texts_share_a_hash` over all collations of all servers.

use super::character::Form;
use crate::session::{Session, SessionError};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;
use wherry_model::Fault;

/// Characters that are in no contraction of the Unicode tables that servers have, and whose
/// weights no contraction has. Hangul by its letters, of which its syllables are made.
const PLAIN: [RangeInclusive<char>; 6] = [
    ' '..='~',
    'α'..='ω',
    'ぁ'..='ん',
    '\u{1100}'..='\u{1112}',
    '\u{1161}'..='\u{1175}',
    '\u{11A8}'..='\u{11C2}',
];

/// Weights from here on are computed from a code that has no entry in the tables, as those of
/// Chinese characters are; no contraction has one.
const COMPUTED_FROM: u8 = 0x80;

/// Cyrillic letters with nothing that combines with them.
const PLAIN_CYRILLIC: &str = "бвдлмнпрстфхцшщьюя";

/// Collations of a single-byte set that are more than a table of bytes. Pairs of bytes do not
/// show all of it.
const CONTRACTING: [&str; 3] = ["latin2_czech_cs", "cp1250_czech_cs", "tis620_thai_ci"];

/// Endings of Unicode collations without a language.
const GENERAL: [&str; 4] = [
    "_general_ci",
    "_general_nopad_ci",
    "_general_mysql500_ci",
    "_tolower_ci",
];
const ROOT: [&str; 7] = [
    "_unicode_ci",
    "_unicode_nopad_ci",
    "_unicode_520_ci",
    "_unicode_520_nopad_ci",
    "_0900_ai_ci",
    "_0900_as_ci",
    "_0900_as_cs",
];

/// Weights kept for all collations together; beyond it they are asked for again. One block takes
/// about 1 KiB, and a collation has 4,352 blocks at most.
const KEPT_BLOCKS_MAX: usize = 16 << 10;

/// Characters whose weights are asked for at once.
const BLOCK: u32 = 256;

/// One collation of the source; index into [`Weights`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CollationId(usize);

/// A block of characters that must be asked for before a text can be hashed.
pub(super) type Missing = BTreeSet<(CollationId, u32)>;

/// The weights known so far.
#[derive(Debug, Default)]
pub(super) struct Weights {
    collations: Vec<Collation>,
    block_count: usize,
}

#[derive(Debug)]
struct Collation {
    charset: String,
    name: String,
    form: Form,
    family: Family,
    proof: Proof,
    /// Of a space, filtered.
    space: Vec<u8>,
    /// Weights of a Unicode collation that count.
    plain: HashSet<[u8; 2]>,
    blocks: HashMap<u32, Block>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Open,
    Proven,
    Failed,
}

/// How a weight string is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// Every character has one weight.
    Table,
    /// Weights of two bytes, levels behind `00 00`.
    Unicode,
}

/// Weights of 256 characters, filtered, one after the other.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Block {
    fn of(&self, code: u32) -> &[u8] {
        let index = (code % BLOCK) as usize;
        let begin = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[begin as usize..self.ends[index] as usize]
    }
}

impl Weights {
    /// The collation under its id; `None` where it is none that can be proven.
    pub(super) fn collation(&mut self, charset: &str, name: &str) -> Option<CollationId> {
        let form = Form::of(charset)?;
        let family = family(form, name)?;
        let known = |collation: &Collation| collation.charset == charset && collation.name == name;
        if let Some(index) = self.collations.iter().position(known) {
            return Some(CollationId(index));
        }
        self.collations.push(Collation {
            charset: charset.to_owned(),
            name: name.to_owned(),
            form,
            family,
            proof: Proof::Open,
            space: Vec::new(),
            plain: HashSet::new(),
            blocks: HashMap::new(),
        });
        Some(CollationId(self.collations.len() - 1))
    }

    /// True where a collation waits for its proof.
    pub(super) fn has_open(&self) -> bool {
        self.collations
            .iter()
            .any(|collation| collation.proof == Proof::Open)
    }

    /// Appends what `text` is hashed by, or notes which weights are missing.
    pub(super) fn push(
        &self,
        id: CollationId,
        text: &[u8],
        out: &mut Vec<u8>,
        missing: &mut Missing,
    ) {
        let collation = &self.collations[id.0];
        if collation.proof != Proof::Proven {
            return;
        }
        let begin = out.len();
        let mut rest = text;
        while !rest.is_empty() {
            let (code, length) = collation.form.first(rest);
            rest = &rest[length..];
            // Bytes that are no character count for nothing.
            let Some(code) = code else { continue };
            match collation.blocks.get(&(code / BLOCK)) {
                Some(block) => out.extend_from_slice(block.of(code)),
                None => drop(missing.insert((id, code / BLOCK))),
            }
        }
        let space = &collation.space;
        while !space.is_empty() && out[begin..].ends_with(space) {
            out.truncate(out.len() - space.len());
        }
    }

    /// Forgets weights where there are too many. They are a constant of the source, so hashes
    /// stay what they are.
    pub(super) fn bound(&mut self) {
        if self.block_count > KEPT_BLOCKS_MAX {
            self.block_count = 0;
            for collation in &mut self.collations {
                collation.blocks.clear();
            }
        }
    }

    /// Asks for missing weights.
    pub(super) async fn fetch(
        &mut self,
        session: &mut Session,
        missing: &Missing,
    ) -> Result<(), Fault> {
        for (id, number) in missing {
            let collation = &mut self.collations[id.0];
            let codes: Vec<u32> = (number * BLOCK..(number + 1) * BLOCK).collect();
            let found = collation
                .ask(session, &codes)
                .await
                .map_err(SessionError::into_fault)?;
            let mut block = Block {
                bytes: Vec::new(),
                ends: Vec::with_capacity(found.len()),
            };
            for weight in found {
                block.bytes.extend(collation.filter(&weight));
                block.ends.push(block.bytes.len() as u32);
            }
            collation.blocks.insert(*number, block);
            self.block_count += 1;
        }
        Ok(())
    }

    /// Proves every collation that waits for it: the weights of all pairs of characters, joined
    /// to one text, are those of its characters.
    pub(super) async fn prove(&mut self, session: &mut Session) -> Result<(), Fault> {
        for collation in &mut self.collations {
            if collation.proof != Proof::Open {
                continue;
            }
            collation.proof = match collation.is_proven(session).await {
                Ok(true) => Proof::Proven,
                Ok(false) => Proof::Failed,
                Err(error) if error.server_code().is_some() && !error.ends_session() => {
                    Proof::Failed
                }
                Err(error) => return Err(error.into_fault()),
            };
            if collation.proof == Proof::Failed {
                tracing::warn!(
                    collation = collation.name,
                    "the source's weights do not add up; changes of tables with unique text of this collation are applied one after the other"
                );
            }
        }
        Ok(())
    }
}

/// How weights of this collation are read; `None` where it may contract.
fn family(form: Form, name: &str) -> Option<Family> {
    if !form.is_unicode() {
        return (!CONTRACTING.contains(&name)).then_some(Family::Table);
    }
    let (_, ending) = name.split_once('_')?;
    let is_one_of = |list: &[&str]| list.iter().any(|known| known[1..] == *ending);
    if is_one_of(&GENERAL) {
        Some(Family::Table)
    } else if is_one_of(&ROOT) {
        Some(Family::Unicode)
    } else {
        None
    }
}

impl Collation {
    /// The server's weight strings of single characters; empty where there is no such character.
    async fn ask(
        &self,
        session: &mut Session,
        codes: &[u32],
    ) -> Result<Vec<Vec<u8>>, SessionError> {
        let texts: Vec<Vec<u8>> = codes
            .iter()
            .map(|code| self.form.encode(*code).unwrap_or_default())
            .collect();
        self.ask_texts(session, &texts).await
    }

    async fn ask_texts(
        &self,
        session: &mut Session,
        texts: &[Vec<u8>],
    ) -> Result<Vec<Vec<u8>>, SessionError> {
        let mut sql = b"SELECT ".to_vec();
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                sql.push(b',');
            }
            if text.is_empty() {
                sql.extend_from_slice(b"''");
                continue;
            }
            sql.extend_from_slice(format!("WEIGHT_STRING(_{} ", self.charset).as_bytes());
            crate::literal::push_hex(&mut sql, text);
            sql.extend_from_slice(format!(" COLLATE {})", self.name).as_bytes());
        }
        let rows = session.query(sql).await?;
        let weight = |column| rows.bytes(0, column).map(<[u8]>::to_vec);
        (0..texts.len())
            .map(weight)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| SessionError::protocol("no weight of a character"))
    }

    async fn is_proven(&mut self, session: &mut Session) -> Result<bool, SessionError> {
        if self.family == Family::Unicode {
            self.collect_plain(session).await?;
        }
        let codes: Vec<u32> = match self.form {
            Form::Single { last } => (0..=last.into()).collect(),
            _ => (u32::from(b' ')..=u32::from(b'~')).collect(),
        };
        let single = self.ask(session, &codes).await?;
        let (mut text, mut expected) = (Vec::new(), Vec::new());
        for (one, first) in codes.iter().zip(&single) {
            for (other, second) in codes.iter().zip(&single) {
                text.extend(self.form.encode(*one).unwrap_or_default());
                text.extend(self.form.encode(*other).unwrap_or_default());
                expected.extend(self.filter(first));
                expected.extend(self.filter(second));
            }
        }
        let whole = self.ask_texts(session, &[text]).await?;
        let space = self.ask(session, &[u32::from(b' ')]).await?;
        self.space = self.filter(&space[0]);
        Ok(self.filter(&whole[0]) == expected)
    }

    async fn collect_plain(&mut self, session: &mut Session) -> Result<(), SessionError> {
        let codes: Vec<u32> = PLAIN
            .into_iter()
            .flatten()
            .chain(PLAIN_CYRILLIC.chars())
            .map(u32::from)
            .collect();
        for codes in codes.chunks(BLOCK as usize) {
            for weight in self.ask(session, codes).await? {
                self.plain.extend(first_level(&weight));
            }
        }
        Ok(())
    }

    fn filter(&self, weight: &[u8]) -> Vec<u8> {
        match self.family {
            Family::Table => weight.to_vec(),
            Family::Unicode => first_level(weight)
                .filter(|unit| unit[0] >= COMPUTED_FROM || self.plain.contains(unit))
                .flatten()
                .collect(),
        }
    }
}

/// The weights of the first level: levels are parted by zeros.
fn first_level(weight: &[u8]) -> impl Iterator<Item = [u8; 2]> + '_ {
    weight
        .chunks_exact(2)
        .map(|unit| [unit[0], unit[1]])
        .take_while(|unit| *unit != [0, 0])
}
