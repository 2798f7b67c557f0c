//! Invented values for the shop's tables, as SQL literals.

use super::Shop;
use crate::random::Random;

const WORDS: [&str; 16] = [
    "lamp",
    "Kettle",
    "naïve",
    "ÅNGSTRÖM",
    "straße",
    "日本語",
    "кофе",
    "🦀",
    "it''s",
    "a\\\\b",
    "tab\\there",
    "line\\nbreak",
    "%_",
    "\\\"quoted\\\"",
    "nul\\0byte",
    "",
];
const COUNTRIES: [&str; 6] = ["DE", "NL", "SE", "JP", "BR", "ZA"];
const TAGS: [&str; 6] = [
    "NULL",
    "''",
    "'new'",
    "'sale,heavy'",
    "'new,fragile,last'",
    "'last'",
];
const STATUSES: [&str; 3] = ["draft", "active", "retired"];
const ORDER_STATUSES: [&str; 4] = ["new", "paid", "sent", "back"];

/// Makes literals; the same seed makes the same ones.
pub(crate) struct Values {
    shop: Shop,
    pub random: Random,
}

impl Values {
    pub fn new(shop: Shop, random: Random) -> Values {
        Values { shop, random }
    }

    /// All values of row `row` of a table, in parentheses.
    pub fn tuple(&mut self, table: &str, row: u64) -> String {
        match table {
            "customers" => format!("({row},{})", self.customer(&format!("c{row}"))),
            "addresses" => format!("({row},{})", self.address()),
            "products" => format!("({row},{})", self.product(&format!("SKU-{row}"))),
            "orders" => format!("({row},{})", self.order()),
            // Three lines of each order but the last.
            "order_items" => format!(
                "({},{},{})",
                (row - 1) / 3 + 1,
                (row - 1) % 3 + 1,
                self.item()
            ),
            "payments" => {
                let order = self.id_of("orders");
                format!("({row},{order},{})", self.payment())
            }
            "images" => format!("({row},{})", self.image()),
            "reviews" => format!("({row},{})", self.review()),
            "coupons" => format!(
                "('CODE-{row}',{},{})",
                if row.is_multiple_of(3) {
                    "NULL".to_owned()
                } else {
                    row.to_string()
                },
                self.coupon()
            ),
            "shelves" => format!("({row},{},'shelf {row}')", row * 10),
            "visits" => self.visit(),
            _ => format!("(0,{row},'before',{})", self.moment(6)),
        }
    }

    /// A customer without its id; `unique` keeps e-mail address and telephone apart from all others.
    pub fn customer(&mut self, unique: &str) -> String {
        let phone = if self.random.one_in(3) {
            "NULL".to_owned()
        } else {
            format!("'+{unique}'")
        };
        let score = if self.random.one_in(9) {
            "NULL".to_owned()
        } else {
            self.score()
        };
        let rating = format!("{}e-7", self.random.number() as i32);
        let birthday = format!(
            "'{}-{:02}-{:02}'",
            1930 + self.random.below(80),
            1 + self.random.below(12),
            1 + self.random.below(28)
        );
        format!(
            "'{unique}@example.com',{},{phone},{},{score},{rating},{birthday},{},{}",
            self.text(3),
            self.decimal(9, 2),
            self.moment(6),
            self.moment(3)
        )
    }

    /// A FLOAT that needs all its digits, unless the shop wants short ones.
    pub fn score(&mut self) -> String {
        if self.shop.short_floats {
            format!(
                "{}.{:03}",
                self.random.below(1000),
                125 * self.random.below(8)
            )
        } else {
            format!("{}e-3", self.random.below(100_000_000))
        }
    }

    pub fn address(&mut self) -> String {
        let customer = self.id_of("customers");
        format!(
            "{customer},'{}',{},{}",
            self.random.pick(&COUNTRIES),
            self.text(2),
            self.text(6)
        )
    }

    pub fn product(&mut self, sku: &str) -> String {
        let price = self.decimal(6, 2).replace('-', "");
        let attributes = self.attributes();
        let (tags, status) = (self.random.pick(&TAGS), self.random.pick(&STATUSES));
        format!(
            "'{sku}',{},{price},{},{attributes},{tags},'{status}',{}e-4",
            self.text(3),
            self.random.below(1000),
            self.random.below(10_000_000)
        )
    }

    pub fn attributes(&mut self) -> String {
        match self.random.below(8) {
            0 => "NULL".to_owned(),
            1 => "'[]'".to_owned(),
            2 => format!(
                "'[1, {}, null, true, {{\"deep\": [\"😀\", -0.5]}}]'",
                self.random.number() as i64
            ),
            number => format!(
                "'{{\"colour\": \"{}\", \"size\": {}, \"price\": {}.25, \"note\": \"é\\\\\"x\\\\\"\", \"list\": [{number}, 2e10]}}'",
                if self.random.one_in(2) {
                    "grün"
                } else {
                    "red"
                },
                self.random.below(500),
                self.random.below(1000),
            ),
        }
    }

    pub fn order(&mut self) -> String {
        let customer = self.id_of("customers");
        let address = if self.random.one_in(5) {
            "NULL".to_owned()
        } else {
            self.id_of("addresses").to_string()
        };
        let note = if self.random.one_in(2) {
            "NULL".to_owned()
        } else {
            self.text(5)
        };
        format!(
            "{customer},{address},'{}',{},{note},{}",
            self.random.pick(&ORDER_STATUSES),
            self.decimal(11, 2),
            self.moment(6)
        )
    }

    pub fn item(&mut self) -> String {
        let product = self.id_of("products");
        format!(
            "{product},{},{}",
            1 + self.random.below(20),
            self.decimal(7, 2)
        )
    }

    pub fn payment(&mut self) -> String {
        let flags = format!("b'{:b}'", self.random.below(1024));
        let took = format!(
            "'{}:{:02}:{:02}.{:02}'",
            self.random.below(300),
            self.random.below(60),
            self.random.below(60),
            self.random.below(100)
        );
        format!("{},{flags},{},{took}", self.decimal(13, 4), self.moment(6))
    }

    pub fn image(&mut self) -> String {
        let product = self.id_of("products");
        let digest = self.random.number();
        format!("{product},0x{digest:016x},{}", self.blob())
    }

    pub fn blob(&mut self) -> String {
        match self.random.below(10) {
            0 => "NULL".to_owned(),
            1 => "''".to_owned(),
            _ => {
                let words = 100 + self.random.below(900);
                let bytes: String = (0..words)
                    .map(|_| format!("{:016x}", self.random.number()))
                    .collect();
                format!("0x{bytes}")
            }
        }
    }

    pub fn review(&mut self) -> String {
        let (product, customer) = (self.id_of("products"), self.id_of("customers"));
        let season = 2000 + self.random.below(30);
        let words = self.random.below(40);
        format!(
            "{product},{customer},{},{season},{}",
            1 + self.random.below(5),
            self.text(words)
        )
    }

    pub fn coupon(&mut self) -> String {
        let until = if self.random.one_in(4) {
            "NULL".to_owned()
        } else {
            self.moment(0)
        };
        format!("{},{until}", self.random.below(101))
    }

    /// Few different rows on purpose: a table without a key may hold the same row several times.
    pub fn visit(&mut self) -> String {
        let customer = if self.random.one_in(2) {
            "NULL".to_owned()
        } else {
            self.random.below(5).to_string()
        };
        format!(
            "('/page/{}',{customer},'2024-05-0{} 00:00:00')",
            self.random.below(40),
            1 + self.random.below(3)
        )
    }

    /// A quoted text of up to so many words.
    pub fn text(&mut self, words: u64) -> String {
        let count = 1 + self.random.below(words.max(1));
        let words: Vec<&str> = (0..count).map(|_| self.random.pick(&WORDS)).collect();
        format!("'{}'", words.join(" "))
    }

    pub fn decimal(&mut self, digits: u32, scale: u32) -> String {
        let whole = self.random.below(10u64.pow(digits - scale));
        let sign = if self.random.one_in(6) { "-" } else { "" };
        let fraction = self.random.below(10u64.pow(scale));
        format!("{sign}{whole}.{fraction:0width$}", width = scale as usize)
    }

    pub fn moment(&mut self, digits: usize) -> String {
        let random = &mut self.random;
        let day = format!(
            "20{:02}-{:02}-{:02}",
            10 + random.below(20),
            1 + random.below(12),
            1 + random.below(28)
        );
        let time = format!(
            "{:02}:{:02}:{:02}",
            random.below(24),
            random.below(60),
            random.below(60)
        );
        let fraction = format!("{:06}", random.below(1_000_000));
        let point = if digits == 0 { "" } else { "." };
        format!("'{day} {time}{point}{}'", &fraction[..digits])
    }

    /// An id that the table had when it was filled.
    pub fn id_of(&mut self, table: &str) -> u64 {
        1 + self.random.below(self.shop.row_count(table))
    }
}
