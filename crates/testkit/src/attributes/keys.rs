//! Keys of every kind, checks and foreign keys.

use super::columns::{Class, Column};
use super::{Draft, quoted};

impl Draft<'_> {
    pub(super) fn draw_keys(&mut self) {
        self.identity();
        for number in 0..self.random.below(4) {
            self.secondary(number);
        }
        if self.random.one_in(3) {
            self.fulltext();
        }
        if !self.partitioned && self.random.one_in(2) {
            self.spatial();
        }
        if self.is_97() {
            self.functional();
        }
    }

    /// What tells rows apart: a counter, another primary key, a unique key, or nothing.
    fn identity(&mut self) {
        let shape = if self.partitioned {
            0
        } else {
            self.random.below(9)
        };
        match shape {
            0..=2 => {
                let unsigned = self.pick(&["", " unsigned"]);
                let counter = if self.random.one_in(3) {
                    ""
                } else {
                    " AUTO_INCREMENT"
                };
                let mut id = self.plain_column("id", &format!("int{unsigned} NOT NULL{counter}"));
                id.values = (1..=4).map(|number| (number * 10).to_string()).collect();
                let place = if self.random.one_in(4) {
                    self.columns.len()
                } else {
                    0
                };
                self.columns.insert(place, id);
                let ending = self.key_ending();
                self.parts.push(format!("PRIMARY KEY (`id`){ending}"));
            }
            3 => {
                self.columns
                    .push(self.plain_column("k1", "varchar(40) CHARACTER SET latin1 NOT NULL"));
                self.columns
                    .push(self.plain_column("k2", "smallint NOT NULL"));
                let order = if self.is_97() && self.random.one_in(2) {
                    " DESC"
                } else {
                    ""
                };
                self.parts.push(format!("PRIMARY KEY (`k1`, `k2`{order})"));
            }
            4 => {
                self.columns
                    .push(self.plain_column("k1", "varchar(300) CHARACTER SET latin1 NOT NULL"));
                self.parts.push("PRIMARY KEY (`k1`(12))".to_owned());
            }
            5 => {
                self.columns
                    .push(self.plain_column("k1", "bigint NOT NULL"));
                self.parts.push("UNIQUE KEY `only` (`k1`)".to_owned());
            }
            6 => {
                self.columns
                    .push(self.plain_column("k1", "int DEFAULT NULL"));
                self.parts.push("UNIQUE KEY `nullable` (`k1`)".to_owned());
            }
            _ => {}
        }
    }

    fn plain_column(&self, name: &str, definition: &str) -> Column {
        Column {
            name: name.to_owned(),
            class: Class::Integer,
            definition: definition.to_owned(),
            values: (1..=4).map(|number| number.to_string()).collect(),
            nullable: false,
            has_default: false,
            in_key: true,
            charset: "latin1",
            srid: false,
        }
    }

    fn key_ending(&mut self) -> String {
        let mut ending = String::new();
        if self.random.one_in(6) {
            ending.push_str(" USING BTREE");
        }
        if self.random.one_in(8) {
            ending.push_str(" KEY_BLOCK_SIZE=4");
        }
        ending.push_str(&self.comment(" "));
        ending
    }

    fn secondary(&mut self, number: u64) {
        let usable: Vec<Column> = self
            .columns
            .iter()
            .filter(|column| {
                column.is_short() || matches!(column.class, Class::LongText | Class::LongBytes)
            })
            .cloned()
            .collect();
        if usable.is_empty() {
            return;
        }
        let mut parts: Vec<String> = Vec::new();
        for _ in 0..=self.random.below(3) {
            let column = self.pick(&usable);
            let name = quoted(&column.name);
            if parts.iter().any(|part| part.starts_with(&name)) {
                continue;
            }
            let long = !column.is_short();
            let prefix = if long { "(7)" } else { "" };
            let order = if !self.flavour.is_old() && self.is_innodb && self.random.one_in(4) {
                " DESC"
            } else {
                ""
            };
            parts.push(format!("{name}{prefix}{order}"));
        }
        let unique = !self.partitioned && self.random.one_in(4);
        let hidden = match (
            self.random.one_in(6),
            self.flavour.is_old(),
            self.is_mariadb(),
        ) {
            // MySQL takes a unique key without NULLs for the primary one, which it does not hide.
            (true, false, true) if !unique => " IGNORED",
            (true, false, false) => " INVISIBLE",
            _ => "",
        };
        let kind = if unique { "UNIQUE KEY" } else { "KEY" };
        let name = self.pick(&["k", "by", "a b", "c`d", "order", "Key"]);
        let ending = self.key_ending();
        self.parts.push(format!(
            "{kind} {} ({}){ending}{hidden}",
            quoted(&format!("{name}{number}")),
            parts.join(", ")
        ));
    }

    fn fulltext(&mut self) {
        let is_text = |column: &&Column| {
            matches!(column.class, Class::LongText | Class::Text)
                && !column.values.is_empty()
                && !matches!(column.charset, "utf16" | "ascii")
                && !column.definition.starts_with("json")
        };
        if self.partitioned {
            return;
        }
        let Some(column) = self.columns.iter().find(is_text).cloned() else {
            return;
        };
        let parser = if self.is_97() && self.random.one_in(2) {
            " WITH PARSER ngram"
        } else {
            ""
        };
        self.parts.push(format!(
            "FULLTEXT KEY `words` ({}){parser}",
            quoted(&column.name)
        ));
    }

    fn spatial(&mut self) {
        let Some(column) = self
            .columns
            .iter()
            .find(|column| column.class == Class::Point && !column.nullable)
            .cloned()
        else {
            return;
        };
        // Spatial keys of InnoDB came with MySQL 5.7.
        if self.flavour.is_old() && self.is_innodb {
            return;
        }
        self.parts
            .push(format!("SPATIAL KEY `place` ({})", quoted(&column.name)));
    }

    fn functional(&mut self) {
        let number = self
            .columns
            .iter()
            .find(|column| column.class == Class::Integer && column.is_free())
            .cloned();
        if let Some(column) = number.filter(|_| self.is_innodb && self.random.one_in(3)) {
            let order = self.pick(&["", " DESC"]);
            self.parts.push(format!("KEY `calculated` (({} + 1){order}, ((case when {} > 1 then 'a,b)' else 'it''s' end)))", quoted(&column.name), quoted(&column.name)));
        }
        let json = self
            .columns
            .iter()
            .find(|column| column.class == Class::Json)
            .cloned();
        if let Some(column) =
            json.filter(|_| self.is_innodb && !self.partitioned && self.random.one_in(2))
        {
            self.parts.push(format!(
                "KEY `members` ((cast({}->'$.k' as char(20) array)))",
                quoted(&column.name)
            ));
        }
    }

    pub(super) fn draw_constraints(&mut self) {
        if !self.flavour.is_old() && self.random.one_in(3) {
            self.checks();
        }
        if self.is_innodb && !self.partitioned && self.random.one_in(3) {
            self.foreign_keys();
        }
    }

    fn checks(&mut self) {
        let Some(column) = self
            .columns
            .iter()
            .find(|column| {
                column.class == Class::Integer && column.in_key && column.is_free()
                    || column.class == Class::Text && !matches!(column.charset, "sjis" | "gbk")
            })
            .cloned()
        else {
            return;
        };
        let name = quoted(&column.name);
        let condition = self.pick(&[
            "{} <> 'it''s, (no)'",
            "{} is null or {} <> '\\\\'",
            "not ({} <=> 'x`y')",
            "{} < 'zzz' or {} not in ('a\"b', 'c')",
        ]);
        let condition = condition.replace("{}", &format!("concat({name}, '')"));
        let enforced = if self.is_97() {
            self.pick(&["", "", " NOT ENFORCED"])
        } else {
            ""
        };
        let named = if self.random.one_in(2) {
            format!("CONSTRAINT `check {}` ", self.number)
        } else {
            String::new()
        };
        self.parts
            .push(format!("{named}CHECK ({condition}){enforced}"));
        if self.random.one_in(2) {
            self.parts
                .push(format!("CHECK ({name} is not null or 1 = 1)"));
        }
    }

    fn foreign_keys(&mut self) {
        let number = self.number;
        let actions = [
            "",
            " ON DELETE CASCADE",
            " ON DELETE SET NULL",
            " ON DELETE RESTRICT",
            " ON DELETE NO ACTION",
        ];
        let updates = [
            "",
            " ON UPDATE CASCADE",
            " ON UPDATE SET NULL",
            " ON UPDATE RESTRICT",
        ];
        let (delete, update) = (self.pick(&actions), self.pick(&updates));
        let parent = self.pick(&["`attr`.`z_parent`", "`attr_two`.`z_other`"]);
        let mut own = self.plain_column("parent", "int DEFAULT NULL");
        own.nullable = true;
        own.values = vec!["1".to_owned(), "2".to_owned(), "3".to_owned()];
        self.columns.push(own);
        let named = if self.random.one_in(2) {
            format!("CONSTRAINT `key {number}` ")
        } else {
            String::new()
        };
        self.parts.push(format!(
            "{named}FOREIGN KEY (`parent`) REFERENCES {parent} (`id`){delete}{update}"
        ));
        if self.random.one_in(3) {
            for name in ["pa", "pb"] {
                let mut own = self.plain_column(name, "int DEFAULT NULL");
                own.nullable = true;
                own.values = vec!["1".to_owned(), "2".to_owned()];
                self.columns.push(own);
            }
            self.parts.push(
                "FOREIGN KEY (`pa`, `pb`) REFERENCES `attr`.`z_parent` (`a`, `b`)".to_owned(),
            );
        }
        let has_id = self
            .columns
            .iter()
            .any(|column| column.name == "id" && !column.definition.contains("unsigned"));
        if has_id && self.random.one_in(2) {
            let mut own = self.plain_column("above", "int DEFAULT NULL");
            own.nullable = true;
            own.values = vec!["10".to_owned()];
            self.columns.push(own);
            let table = self.pick(&["", " ON DELETE SET NULL"]);
            self.parts.push(format!(
                "FOREIGN KEY (`above`) REFERENCES {{self}} (`id`){table}"
            ));
        }
    }
}
