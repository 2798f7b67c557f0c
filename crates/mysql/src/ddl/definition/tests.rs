//! Definitions as texts: taken apart, rendered, deferred.

use super::*;
use crate::ddl::statement::Dialect;

const TEXT: &str = "CREATE TABLE `t` (
  `id` int NOT NULL AUTO_INCREMENT,
  `a,b` enum('x,y','it''s)') CHARACTER SET latin1 DEFAULT 'x,y' COMMENT 'KEY (`a`)',
  `p` int DEFAULT NULL,
  `g` int GENERATED ALWAYS AS ((`p` + 1)) VIRTUAL,
  `h` int DEFAULT NULL /*!80023 INVISIBLE */,
  `pt` point NOT NULL /*!80003 SRID 4326 */,
  PRIMARY KEY (`id`),
  UNIQUE KEY `u` (`p`,`h` DESC),
  KEY `k` (`a,b`(3)) USING BTREE COMMENT 'c' /*!80000 INVISIBLE */,
  KEY `e` ((`p` + `h`)),
  FULLTEXT KEY `f` (`a,b`) /*!50100 WITH PARSER `ngram` */ ,
  SPATIAL KEY `s` (`pt`),
  CONSTRAINT `fk` FOREIGN KEY (`p`, `h`) REFERENCES `parent` (`x`, `y`) ON DELETE SET NULL ON UPDATE NO ACTION,
  CONSTRAINT `c` CHECK ((`p` > 0))
) /*!50100 TABLESPACE `ts` */ ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='a) b'
/*!50100 PARTITION BY HASH (`id`)
PARTITIONS 2 */";

fn parse(text: &str) -> Definition {
    let context = Context::new("d", Dialect::mysql(90_704));
    Definition::parse(text, &context).expect("a definition")
}

#[test]
fn everything_is_found() {
    let definition = parse(TEXT);
    assert_eq!(definition.name, TableName::new("d", "t"));
    let names: Vec<&str> = definition
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, ["id", "a,b", "p", "g", "h", "pt"]);
    assert!(definition.columns[0].auto_increment);
    assert!(definition.columns[3].generated);
    assert!(definition.columns[4].invisible);
    assert_eq!(
        definition.columns[5].text,
        "`pt` point NOT NULL /*!80003 SRID 4326 */"
    );
    let keys: Vec<(KeyKind, &str)> = definition
        .keys
        .iter()
        .map(|key| (key.kind, key.name.as_str()))
        .collect();
    assert_eq!(
        keys,
        [
            (KeyKind::Unique, "u"),
            (KeyKind::Plain, "k"),
            (KeyKind::Plain, "e"),
            (KeyKind::Fulltext, "f"),
            (KeyKind::Spatial, "s"),
        ]
    );
    assert_eq!(definition.keys[2].columns, [None]);
    let foreign = &definition.foreign_keys[0];
    assert_eq!(foreign.references, TableName::new("d", "parent"));
    assert_eq!(foreign.on_delete.as_deref(), Some("SET NULL"));
    assert_eq!(foreign.on_update.as_deref(), Some("NO ACTION"));
    assert_eq!(definition.option("TABLESPACE"), Some("ts"));
    assert_eq!(definition.option("COMMENT"), Some("'a) b'"));
    assert_eq!(definition.auto_increment(), Some(42));
    assert!(
        definition
            .partitions
            .as_deref()
            .is_some_and(|text| text.starts_with("/*!50100 "))
    );
}

#[test]
fn deferred_keys_come_back_in_one_statement() {
    let definition = parse(TEXT);
    let name = TableName::new("n", "t");
    let options = RenderOptions {
        name: &name,
        keys: Keys::WithoutDeferrable,
        foreign_keys: false,
        auto_increment: false,
    };
    let text = definition.render(&options);
    assert!(text.starts_with("CREATE TABLE `n`.`t` (\n  `id` int"));
    assert!(text.contains("UNIQUE KEY `u`") && text.contains("CHECK"));
    assert!(!text.contains("AUTO_INCREMENT=") && !text.contains("FOREIGN"));
    for key in ["KEY `k`", "KEY `e`", "KEY `f`", "KEY `s`"] {
        assert!(!text.contains(key), "{key}");
    }
    let alter = definition
        .deferred_keys_alter(&name)
        .expect("keys were left out");
    assert_eq!(alter.matches("ADD ").count(), 4);
    assert!(alter.starts_with("ALTER TABLE `n`.`t`\n  ADD KEY `k`"));
}

#[test]
fn an_auto_increment_column_keeps_its_key() {
    let definition = parse(
        "CREATE TABLE `t` (`a` int, `id` int NOT NULL AUTO_INCREMENT, `b` int, PRIMARY KEY (`a`), KEY `x` (`b`), KEY `i` (`id`,`a`), KEY `y` (`b`)) ENGINE=InnoDB",
    );
    let name = TableName::new("d", "t");
    assert_eq!(
        definition.deferred_keys_alter(&name).as_deref(),
        Some("ALTER TABLE `d`.`t`\n  ADD KEY `y` (`b`)")
    );
}

#[test]
fn foreign_keys_follow_the_map() {
    let definition = parse(TEXT).map_references(&|table| TableName::new("n", table.table.as_str()));
    let alter = definition
        .foreign_keys_alter(&TableName::new("n", "t"))
        .expect("a foreign key");
    assert_eq!(
        alter,
        "ALTER TABLE `n`.`t`\n  ADD CONSTRAINT `fk` FOREIGN KEY (`p`, `h`) REFERENCES `n`.`parent` (`x`, `y`) ON DELETE SET NULL ON UPDATE NO ACTION"
    );
    assert_eq!(
        definition.foreign_keys[0].orphan_count_sql(&TableName::new("n", "t")),
        "SELECT COUNT(*) FROM `n`.`t` AS c WHERE c.`p` IS NOT NULL AND c.`h` IS NOT NULL AND NOT EXISTS (SELECT 1 FROM `n`.`parent` AS p WHERE p.`x` = c.`p` AND p.`y` = c.`h`)"
    );
}

#[test]
fn the_fingerprint_knows_neither_name_nor_counter() {
    let other = TEXT
        .replace("AUTO_INCREMENT=42 ", "")
        .replacen("`t`", "`u`", 1);
    assert_eq!(
        parse(TEXT).fingerprint_text(),
        parse(&other).fingerprint_text()
    );
    let changed = TEXT.replace("`p` int DEFAULT NULL", "`p` bigint DEFAULT NULL");
    assert_ne!(
        parse(TEXT).fingerprint_text(),
        parse(&changed).fingerprint_text()
    );
}

#[test]
fn every_cut_off_text_is_refused_without_harm() {
    let context = Context::new("d", Dialect::mysql(90_704));
    let end = TEXT
        .find(") /*!50100 TABLESPACE")
        .expect("the end of the elements");
    for cut in 0..TEXT.len() {
        let parsed = Definition::parse(&TEXT[..cut], &context);
        assert!(cut > end || parsed.is_err(), "{cut}");
    }
}
