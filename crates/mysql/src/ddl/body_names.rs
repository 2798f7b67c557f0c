//! The names in the body of a routine, trigger or event.
//!
//! Owns which names of a free text are replaced: tables where only a table can stand, databases
//! before a point, columns behind `NEW` and `OLD`. Any other name that equals a renamed one, in any letters, refuses the object.

use super::edit::Edit;
use super::object_names::{EITHER, Text, Unproved};
use super::scan::{Place, PlaceRole};
use std::collections::{BTreeMap, BTreeSet};
use wherry_model::TableName;
use wherry_model::name::quote;

/// Words whose meaning changes with the names of columns or tables.
const NATURAL: &str = "joins by the names of columns";

pub(super) fn edits(text: &Text<'_>) -> Result<Vec<Edit>, Unproved> {
    let mut body = Body {
        text,
        edits: Vec::new(),
        qualifiers: BTreeMap::new(),
    };
    body.check_words()?;
    for place in &text.places {
        match place.role {
            PlaceRole::Table => body.table(place)?,
            PlaceRole::Routine => body.routine(place)?,
            _ => {}
        }
    }
    for place in &text.places {
        match place.role {
            PlaceRole::Table | PlaceRole::Routine => {}
            PlaceRole::Alias(_) | PlaceRole::Label => body.alone(place.parts[0])?,
            PlaceRole::Other => body.other(place)?,
        }
    }
    let renamed = &text.renamed;
    let lists = [&renamed.databases, &renamed.tables, &renamed.columns];
    let names = lists.into_iter().flatten().map(String::as_str);
    let moved = body.qualifiers.keys().map(String::as_str);
    let moved = moved.filter(|name| body.is_moved(name));
    text.check_literals(&names.chain(moved).collect::<BTreeSet<&str>>(), true)?;
    Ok(body.edits)
}

struct Body<'a> {
    text: &'a Text<'a>,
    edits: Vec<Edit>,
    /// The target's names of the tables that are read, by the source's in lower case.
    qualifiers: BTreeMap<String, BTreeSet<String>>,
}

impl Body<'_> {
    fn check_words(&self) -> Result<(), Unproved> {
        let text = self.text;
        let has = |word: &str| {
            text.tokens
                .iter()
                .any(|token| token.is_word(text.sql, word))
        };
        let letters = text.of.names.changes_letters();
        if has("NATURAL") && !text.renamed.columns.is_empty() {
            return Err(Unproved::new("NATURAL", NATURAL));
        }
        if has("RENAME") && (letters || !text.renamed.tables.is_empty()) {
            return Err(Unproved::new(
                "RENAME",
                "gives tables names that Wherry does not follow",
            ));
        }
        let dynamic = ["PREPARE", "EXECUTE"].into_iter().find(|word| has(word));
        match dynamic {
            Some(word) if letters => Err(Unproved::new(word, "runs SQL that Wherry cannot see")),
            _ => Ok(()),
        }
    }

    fn table(&mut self, place: &Place) -> Result<(), Unproved> {
        let text = self.text;
        let (source, qualified) = text.table(place);
        let Some((first, last)) = place.parts.first().zip(place.parts.last()) else {
            return Ok(());
        };
        let folded = source.table.to_lowercase();
        if qualified {
            text.database(*first)?;
        } else if text.renamed.databases.contains(&folded) {
            // `SHOW TABLES FROM` has a database here.
            return Err(Unproved::new(source.table, EITHER));
        }
        let target = text.of.names.table(&source);
        let stays = !text.of.names.differ(&source.table, &target.table);
        if stays && self.has_rule_in_other_letters(&source) {
            return Err(Unproved::new(source.table, EITHER));
        }
        let known = self.qualifiers.entry(folded).or_default();
        known.insert(target.table.clone());
        let here = match qualified {
            true => source.database.as_str(),
            false => text.of.home,
        };
        if stays && !text.of.names.differ(here, &target.database) {
            return Ok(());
        }
        let edit = text.edit(*first, *last, &target.to_string())?;
        self.edits.push(edit);
        Ok(())
    }

    fn has_rule_in_other_letters(&self, source: &TableName) -> bool {
        let names = self.text.of.names;
        let folded = source.to_string().to_lowercase();
        names
            .renamed_tables()
            .iter()
            .any(|(rule, _)| rule != source && rule.to_string().to_lowercase() == folded)
    }

    fn routine(&mut self, place: &Place) -> Result<(), Unproved> {
        let text = self.text;
        match place.parts.as_slice() {
            [database, _] => {
                if let Some(target) = text.database(*database)? {
                    self.edits.push(text.edit(*database, *database, &target)?);
                }
                Ok(())
            }
            [name] => self.own_routine(*name),
            _ => Ok(()),
        }
    }

    /// A routine without its database is looked for in that of the object.
    fn own_routine(&self, token: usize) -> Result<(), Unproved> {
        let text = self.text;
        let stays = text.of.home == text.of.names.database(text.of.database);
        match stays || !text.of.routines.contains(&text.folded(token)) {
            true => Ok(()),
            false => Err(Unproved::new(
                text.name(token),
                "is a routine of another database than the object's in the target",
            )),
        }
    }

    fn other(&mut self, place: &Place) -> Result<(), Unproved> {
        let text = self.text;
        match (place.parts.as_slice(), place.star, place.called) {
            ([name], false, true) => {
                self.own_routine(*name)?;
                self.alone(*name)
            }
            ([name], false, false) => self.alone(*name),
            ([database, name], false, true) => {
                if text.renamed.tables.contains(&text.folded(*name)) {
                    return Err(Unproved::new(text.name(*name), EITHER));
                }
                if let Some(target) = text.database(*database)? {
                    self.edits.push(text.edit(*database, *database, &target)?);
                }
                Ok(())
            }
            ([database, table], true, _) | ([database, table, _], _, _) => {
                let whole = Place {
                    parts: vec![*database, *table],
                    ..place.clone()
                };
                self.table(&whole)?;
                place
                    .parts
                    .get(2)
                    .map_or(Ok(()), |column| self.column(*column))
            }
            ([qualifier], true, _) => self.qualifier(*qualifier),
            ([qualifier, column], false, false) => self.two(*qualifier, *column),
            _ => Ok(()),
        }
    }

    /// `NEW.column`, `OLD.column`, or a column of a table or alias.
    fn two(&mut self, qualifier: usize, column: usize) -> Result<(), Unproved> {
        let text = self.text;
        let image = ["new", "old"].contains(&text.folded(qualifier).as_str());
        let Some(table) = text.of.table.filter(|_| image) else {
            self.qualifier(qualifier)?;
            return self.column(column);
        };
        let name = text.name(column);
        let target = text.of.names.column(table, &name);
        if target.to_lowercase() != name.to_lowercase() {
            self.edits.push(text.edit(column, column, &quote(&target))?);
        }
        Ok(())
    }

    /// What stands before a column: the name of a table that is read here, or an alias.
    fn qualifier(&mut self, token: usize) -> Result<(), Unproved> {
        let text = self.text;
        let name = text.name(token);
        if !self.is_moved(&name) {
            return match self.qualifiers.contains_key(&name.to_lowercase()) {
                true => Ok(()),
                false => self.alone(token),
            };
        }
        let targets = self.qualifiers.get(&name.to_lowercase());
        match targets.map(|targets| (targets.len(), targets.first())) {
            Some((1, Some(target))) => {
                let edit = text.edit(token, token, &quote(target))?;
                self.edits.push(edit);
                Ok(())
            }
            _ => Err(Unproved::new(name, "is the name of two tables")),
        }
    }

    /// True where a table that is read under this name gets another one.
    fn is_moved(&self, name: &str) -> bool {
        let targets = self.qualifiers.get(&name.to_lowercase());
        let names = self.text.of.names;
        targets.is_some_and(|targets| targets.iter().any(|target| names.differ(name, target)))
    }

    fn column(&self, token: usize) -> Result<(), Unproved> {
        let text = self.text;
        match text.renamed.columns.contains(&text.folded(token)) {
            true => Err(Unproved::new(text.name(token), EITHER)),
            false => Ok(()),
        }
    }

    /// A name that nothing tells about.
    fn alone(&self, token: usize) -> Result<(), Unproved> {
        let text = self.text;
        let folded = text.folded(token);
        let renamed = &text.renamed;
        let found = renamed.databases.contains(&folded)
            || renamed.new_databases.contains(&folded)
            || renamed.tables.contains(&folded)
            || renamed.columns.contains(&folded)
            || self.is_moved(&text.name(token));
        match found {
            true => Err(Unproved::new(text.name(token), EITHER)),
            false => Ok(()),
        }
    }
}
