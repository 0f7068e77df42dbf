//! Macros over lists, maps and optionals.

use std::sync::Arc;

use super::{Decision, ELEMENT_BYTES, Evaluation};
use crate::ast::Fold;
use crate::budget::Stop;
use crate::node::{FoldNode, Node};
use crate::value::Value;

/// What a macro has gathered so far; an unknown or a fault stays until a later element replaces it.
struct Gathered<T> {
    state: Result<T, Stop>,
}

impl Evaluation<'_> {
    pub(super) fn fold(&mut self, fold: &FoldNode) -> Result<Value, Stop> {
        let range = self.run(&fold.range)?;
        match &range {
            Value::List(items) => self.fold_over(fold, items.iter().cloned()),
            Value::Map(map) => {
                let map = Arc::clone(map);
                self.fold_over(fold, map.keys().map(crate::value::Key::value))
            }
            other => {
                let kind = other.kind().name();
                Err(Stop::made(format!("got a value of type {kind}, expected a list or map")))
            }
        }
    }

    fn fold_over(&mut self, fold: &FoldNode, items: impl Iterator<Item = Value>) -> Result<Value, Stop> {
        match fold.fold {
            Fold::All => self.decide_over(fold, items, false),
            Fold::Exists => self.decide_over(fold, items, true),
            Fold::ExistsOne => self.exists_one(fold, items),
            Fold::Map | Fold::Filter => self.gather(fold, items),
        }
    }

    /// Runs a node with one more variable.
    fn with_local(&mut self, item: Value, node: &Node) -> Result<Value, Stop> {
        self.locals.push(item);
        let value = self.run(node);
        self.locals.pop();
        value
    }

    fn decide_over(
        &mut self,
        fold: &FoldNode,
        items: impl Iterator<Item = Value>,
        deciding: bool,
    ) -> Result<Value, Stop> {
        let mut state = Decision::new(deciding);
        for item in items {
            self.budget.spend(1)?;
            let value = self.with_local(item, &fold.body);
            if state.add(value)? {
                return Ok(Value::Bool(deciding));
            }
        }
        state.finish()
    }

    fn exists_one(&mut self, fold: &FoldNode, items: impl Iterator<Item = Value>) -> Result<Value, Stop> {
        let mut count = Gathered { state: Ok(0_usize) };
        for item in items {
            self.budget.spend(1)?;
            let taken = self.with_local(item, &fold.body);
            if count.takes(taken)?
                && let Ok(count) = &mut count.state
            {
                *count += 1;
            }
        }
        count.state.map(|count| Value::Bool(count == 1))
    }

    fn gather(&mut self, fold: &FoldNode, items: impl Iterator<Item = Value>) -> Result<Value, Stop> {
        let filter = if fold.fold == Fold::Filter { Some(&fold.body) } else { fold.filter.as_ref() };
        let mut gathered = Gathered { state: Ok(Vec::new()) };
        for item in items {
            self.budget.spend(1)?;
            let taken = match filter {
                Some(filter) => self.with_local(item.clone(), filter),
                None => Ok(Value::Bool(true)),
            };
            if !gathered.takes(taken)? {
                continue;
            }
            let value = if fold.fold == Fold::Map { self.with_local(item, &fold.body) } else { Ok(item) };
            self.budget.hold(ELEMENT_BYTES)?;
            gathered.add(value)?;
        }
        gathered.state.map(Value::list)
    }

    pub(super) fn optional_map(&mut self, target: &Node, body: &Node) -> Result<Value, Stop> {
        match self.run(target)? {
            Value::Optional(None) => Ok(Value::Optional(None)),
            Value::Optional(Some(inner)) => {
                let value = self.with_local(inner.as_ref().clone(), body)?;
                Ok(Value::Optional(Some(Arc::new(value))))
            }
            _ => Err(Stop::no_overload()),
        }
    }
}

impl<T> Gathered<T> {
    /// Whether the condition takes the element. One that is unknown or wrong takes the place of all before it.
    fn takes(&mut self, condition: Result<Value, Stop>) -> Result<bool, Stop> {
        match condition {
            Ok(Value::Bool(flag)) => return Ok(flag),
            Ok(_) => self.state = Err(Stop::no_overload()),
            Err(stop @ Stop::Halt(_)) => return Err(stop),
            Err(stop @ Stop::Fault(_)) => self.state = Err(stop),
            Err(Stop::Unknown(more)) => {
                let before = if let Err(Stop::Unknown(before)) = self.state { before } else { 0 };
                self.state = Err(Stop::Unknown(before | more));
            }
        }
        Ok(false)
    }
}

impl Gathered<Vec<Value>> {
    fn add(&mut self, value: Result<Value, Stop>) -> Result<(), Stop> {
        match (&mut self.state, value) {
            (_, Err(stop @ Stop::Halt(_))) => return Err(stop),
            (Ok(values), Ok(value)) => values.push(value),
            (Ok(_), Err(stop)) => self.state = Err(stop),
            (Err(Stop::Unknown(before)), Err(Stop::Unknown(more))) => *before |= more,
            (Err(Stop::Unknown(_)), Err(stop)) => self.state = Err(stop),
            (Err(_), _) => {}
        }
        Ok(())
    }
}
