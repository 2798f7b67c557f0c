//! Table options and partitions.

use super::Draft;

impl Draft<'_> {
    pub(super) fn draw_storage(&mut self) {
        let engine = if self.is_innodb { "InnoDB" } else { "MyISAM" };
        self.options.push(format!("ENGINE={engine}"));
        self.counter();
        self.charset_option();
        self.format();
        self.statistics();
        let comment = self.comment("=");
        if !comment.is_empty() {
            self.options.push(comment.trim_start().to_owned());
        }
        if self.partitioned {
            self.partitions = format!("\n{}", self.partition_clause());
        }
    }

    fn counter(&mut self) {
        let counts = self
            .columns
            .iter()
            .any(|column| column.definition.contains("AUTO_INCREMENT"));
        if counts && self.random.one_in(2) {
            let start = self.pick(&["77", "1000000", "2147483000"]);
            self.options.push(format!("AUTO_INCREMENT={start}"));
        }
    }

    fn charset_option(&mut self) {
        let mut choices = vec![
            "",
            "",
            "DEFAULT CHARSET=latin1",
            "DEFAULT CHARSET=utf8mb4",
            "DEFAULT CHARSET=utf8",
            "COLLATE=utf8mb4_bin",
            "DEFAULT CHARSET=latin1 COLLATE=latin1_general_cs",
            "DEFAULT CHARSET=utf8 COLLATE=utf8_bin",
        ];
        if self.is_97() {
            choices.push("COLLATE=utf8mb4_0900_as_cs");
        }
        let chosen = self.pick(&choices);
        self.options
            .extend((!chosen.is_empty()).then(|| chosen.to_owned()));
    }

    fn format(&mut self) {
        let choice = if self.is_innodb {
            self.pick(&[
                "",
                "",
                "ROW_FORMAT=DYNAMIC",
                "ROW_FORMAT=COMPACT",
                "ROW_FORMAT=REDUNDANT",
                "ROW_FORMAT=COMPRESSED",
                "ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8",
                "KEY_BLOCK_SIZE=4",
                "ROW_FORMAT=FIXED",
                "ROW_FORMAT=DYNAMIC KEY_BLOCK_SIZE=8",
            ])
        } else {
            self.pick(&[
                "",
                "ROW_FORMAT=DYNAMIC",
                "ROW_FORMAT=FIXED",
                "KEY_BLOCK_SIZE=1024",
            ])
        };
        // Of InnoDB's formats only the newer ones know long keys.
        self.options
            .extend((!choice.is_empty()).then(|| choice.to_owned()));
        if self.is_97() && self.is_innodb && choice.is_empty() && self.random.one_in(4) {
            let more: &[&str] = if self.partitioned {
                &["COMPRESSION='zlib'"]
            } else {
                &[
                    "COMPRESSION='zlib'",
                    "AUTOEXTEND_SIZE=4M",
                    "TABLESPACE=`shared space`",
                    "ENCRYPTION='N'",
                    "SECONDARY_ENGINE=rapid",
                ]
            };
            let more = self.pick(more);
            self.options.push(more.to_owned());
        }
    }

    fn statistics(&mut self) {
        for choice in [
            "STATS_PERSISTENT=0",
            "STATS_AUTO_RECALC=1",
            "STATS_SAMPLE_PAGES=9",
            "MIN_ROWS=3",
            "MAX_ROWS=100000",
            "AVG_ROW_LENGTH=50",
            "PACK_KEYS=0",
            "CHECKSUM=1",
            "DELAY_KEY_WRITE=1",
        ] {
            if self.random.one_in(10) {
                self.options.push(choice.to_owned());
            }
        }
    }

    /// By `id`, which every unique key of a partitioned table holds.
    fn partition_clause(&mut self) -> String {
        let comment = self.comment(" =").replace("COMMENT =", "COMMENT = ");
        match self.random.below(9) {
            0 => format!("PARTITION BY RANGE (`id`) (PARTITION p0 VALUES LESS THAN (20){comment}, PARTITION `p 1` VALUES LESS THAN (30), PARTITION p2 VALUES LESS THAN MAXVALUE)"),
            1 => "PARTITION BY RANGE COLUMNS (`id`) (PARTITION p0 VALUES LESS THAN (15), PARTITION p1 VALUES LESS THAN (MAXVALUE))".to_owned(),
            2 => format!("PARTITION BY LIST (`id`) (PARTITION p0 VALUES IN (10, 20, 5){comment}, PARTITION p1 VALUES IN (30, 7))"),
            3 => "PARTITION BY LIST COLUMNS (`id`) (PARTITION p0 VALUES IN (10, 20), PARTITION p1 VALUES IN (30, 40))".to_owned(),
            4 => "PARTITION BY HASH (`id` + 1) PARTITIONS 3".to_owned(),
            5 => "PARTITION BY LINEAR HASH (`id`) PARTITIONS 4".to_owned(),
            6 => "PARTITION BY KEY (`id`) PARTITIONS 2".to_owned(),
            7 => format!("PARTITION BY {}KEY {}(`id`) (PARTITION a, PARTITION b{comment})", self.pick(&["", "LINEAR "]), if self.is_mariadb() { "" } else { self.pick(&["ALGORITHM=1 ", "ALGORITHM=2 ", ""]) }),
            _ => "PARTITION BY RANGE (`id`) SUBPARTITION BY HASH (`id` * 2) SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (25) (SUBPARTITION s0 COMMENT = 'one', SUBPARTITION s1), PARTITION p1 VALUES LESS THAN MAXVALUE (SUBPARTITION s2, SUBPARTITION s3))".to_owned(),
        }
    }
}
