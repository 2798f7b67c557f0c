//! What the source says about texts.
//!
//! A question is an SQL condition over constants. Its answer belongs to the source's collations, so
//! it never changes; answers are kept up to a bound and asked again behind it.

use super::{Questions, Truth};
use crate::session::{Session, SessionError};
use std::collections::HashMap;
use wherry_model::Fault;

/// Bytes of questions kept with their answers.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// Bytes of questions in one statement, far below any server's `max_allowed_packet`; a single
/// question is longer only where a text is.
const STATEMENT_BYTES_MAX: usize = 128 << 10;

/// Servers take 4,096 columns in a result.
const STATEMENT_QUESTIONS_MAX: usize = 1000;

#[derive(Debug, Default)]
pub struct Answers {
    known: HashMap<String, Truth>,
    byte_count: usize,
}

impl Answers {
    pub(super) fn get(&self, question: &str) -> Option<Truth> {
        self.known.get(question).copied()
    }

    /// Forgets answers where there are too many.
    pub(crate) fn bound(&mut self) {
        if self.byte_count > KEPT_BYTES_MAX {
            self.known.clear();
            self.byte_count = 0;
        }
    }

    /// Asks the source. The session is one that reads rows.
    pub async fn ask(&mut self, session: &mut Session, questions: &Questions) -> Result<(), Fault> {
        let mut rest: Vec<&String> = questions.asked.iter().collect();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fitting = rest
                .iter()
                .take(STATEMENT_QUESTIONS_MAX)
                .take_while(|question| {
                    bytes += question.len();
                    bytes <= STATEMENT_BYTES_MAX
                });
            let later = rest.split_off(fitting.count().max(1));
            self.ask_some(session, &rest).await?;
            rest = later;
        }
        Ok(())
    }

    async fn ask_some(&mut self, session: &mut Session, asked: &[&String]) -> Result<(), Fault> {
        let list: Vec<String> = asked
            .iter()
            .map(|question| format!("({question})"))
            .collect();
        session.set_label("compare texts of a filter");
        let rows = session.query(format!("SELECT {}", list.join(","))).await?;
        for (index, question) in asked.iter().enumerate() {
            let truth = match rows.bytes(0, index) {
                Some(b"1") => Truth::True,
                Some(b"0") => Truth::False,
                _ => {
                    return Err(
                        SessionError::protocol("no truth value of a comparison").into_fault()
                    );
                }
            };
            self.byte_count += question.len();
            self.known.insert((*question).clone(), truth);
        }
        Ok(())
    }
}
