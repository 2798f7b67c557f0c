//! Functions of dates and times: zones and patterns are constants and are read here.

use super::{Compiled, Compiler, fold, kinds};
use crate::expression::{Code, Expr, TimeUnit};
use crate::fault::{Mistake, ScriptError, Span};
use crate::moment::SECOND;
use crate::pattern::Pattern;
use crate::signature::Function;
use crate::syntax::{Call, Node};
use crate::value::{Kind, Value};
use crate::zone::Zone;

const MILLISECOND: i64 = 1000;

impl Compiler<'_> {
    pub(super) fn time_function(&mut self, call: &Call, span: Span) -> Compiled {
        let arguments = &call.arguments;
        match call.signature.function {
            Function::Datetime => self.datetime(&arguments[0], span),
            Function::Now => Ok(Expr::new(Kind::Moment, Code::Now { millis: false }, span)),
            Function::NowMillis => Ok(Expr::new(Kind::Moment, Code::Now { millis: true }, span)),
            Function::FromSeconds => self.moment_of(arguments, SECOND, span),
            Function::FromMillis => self.moment_of(arguments, MILLISECOND, span),
            Function::ToSeconds => self.epoch_of(arguments, SECOND, span),
            Function::ToMillis => self.epoch_of(arguments, MILLISECOND, span),
            Function::PrintTime => {
                let value = Box::new(self.wanted(&arguments[0], Kind::Moment)?);
                let pattern = self.pattern(&arguments[1])?;
                fold(Expr::new(Kind::Text, Code::Print(value, pattern), span))
            }
            Function::ReadTime => {
                let value = Box::new(self.wanted(&arguments[0], Kind::Text)?);
                let pattern = self.pattern(&arguments[1])?;
                fold(Expr::new(Kind::Moment, Code::Read(value, pattern), span))
            }
            _ => self.add_time(call, span),
        }
    }

    fn datetime(&mut self, node: &Node, span: Span) -> Compiled {
        let text = self.constant_text(node, "the argument of DATETIME")?;
        match kinds::moment(&text) {
            Some(moment) => Ok(Expr::constant(Kind::Moment, Value::Moment(moment), span)),
            None => Err(Mistake::Constant.at(
                node.span,
                "this text is not a datetime",
                "Write it like '2021-01-31 10:20:30'.",
            )),
        }
    }

    fn moment_of(&mut self, arguments: &[Node], unit: i64, span: Span) -> Compiled {
        let value = Box::new(self.wanted(&arguments[0], Kind::Integer)?);
        let zone = self.zone(arguments.get(1))?;
        fold(Expr::new(
            Kind::Moment,
            Code::FromEpoch { value, zone, unit },
            span,
        ))
    }

    fn epoch_of(&mut self, arguments: &[Node], unit: i64, span: Span) -> Compiled {
        let value = Box::new(self.wanted(&arguments[0], Kind::Moment)?);
        let zone = self.zone(arguments.get(1))?;
        fold(Expr::new(
            Kind::Integer,
            Code::ToEpoch { value, zone, unit },
            span,
        ))
    }

    fn add_time(&mut self, call: &Call, span: Span) -> Compiled {
        let value = Box::new(self.wanted(&call.arguments[0], Kind::Moment)?);
        let mut deltas = Vec::with_capacity(call.named.len());
        for (name, node) in &call.named {
            let unit = match *name {
                "years" => TimeUnit::Months(12),
                "months" => TimeUnit::Months(1),
                "days" => TimeUnit::Micros(86_400 * SECOND),
                "hours" => TimeUnit::Micros(3600 * SECOND),
                "minutes" => TimeUnit::Micros(60 * SECOND),
                _ => TimeUnit::Micros(SECOND),
            };
            deltas.push((unit, self.wanted(node, Kind::Integer)?));
        }
        fold(Expr::new(
            Kind::Moment,
            Code::AddTime(value, deltas.into()),
            span,
        ))
    }

    fn zone(&mut self, node: Option<&Node>) -> Result<Zone, ScriptError> {
        let Some(node) = node else {
            return Ok(Zone::UTC);
        };
        let text = self.constant_text(node, "the time zone")?;
        Zone::parse(&text).ok_or_else(|| {
            Mistake::Constant.at(
                node.span,
                "no time zone has this name",
                "Write an offset like 'GMT+08' or a name like 'Asia/Shanghai'.",
            )
        })
    }

    fn pattern(&mut self, node: &Node) -> Result<Pattern, ScriptError> {
        let text = self.constant_text(node, "the date pattern")?;
        Pattern::parse(&text).map_err(|reason| {
            Mistake::Constant.at(
                node.span,
                reason,
                "Known are yyyy, yy, MM, dd, HH, hh, mm, ss, SSS and a; other letters stand in single quotes.",
            )
        })
    }
}
