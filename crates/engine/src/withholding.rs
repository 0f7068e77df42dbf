//! A graph in which the usersets of some objects give nothing, and yet take away what they take away: where a relation
//! grants, `doc:1#viewer@agent:a#team` is as if it were not there while `agent:a` is withheld, and where an exclusion
//! reads the relation, it is there. Hiding the edge from both would grant what the exclusion denies.
//!
//! Every predicate has two forms (`Program::with_forms`), and an edge to a userset has two kinds: the one of the form that
//! grants leaves out the withheld ones here. An arrow goes to the object of a userset, whatever its relation, so it
//! meets all edges.

use std::cell::RefCell;

use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

use crate::catalog::Catalog;
use crate::graph::{Graph, Members, QualifiedEdge, Replaced};
use crate::ids::{KindId, Ordinal, TypeId};
use crate::names_sought::Sought;
use crate::program::Program;
use crate::withholding_rows::Rows;

/// Whose usersets give nothing.
pub trait Withheld {
    /// Whether any object of a type may be withheld: the others are never asked about.
    fn has_any(&self, object_type: &str) -> bool;

    /// Whether the usersets of an object are withheld. Must always say the same for the life of a query.
    fn is_withheld(&self, object_type: &str, object_id: &str) -> bool;
}

/// A base graph whose withheld usersets grant nothing. Costs a look at each userset that the query meets, and a copy of
/// each row that has a withheld one.
pub struct Withholding<'a> {
    base: &'a dyn Graph,
    program: &'a Program,
    withheld: &'a dyn Withheld,
    /// The kinds with usersets of types that have any, with that type.
    kinds: FxHashMap<KindId, (TypeId, &'a str)>,
    judged: RefCell<FxHashMap<(TypeId, Ordinal), bool>>,
    plain: Rows<Vec<u32>>,
    qualified: Rows<Vec<QualifiedEdge>>,
}

impl<'a> Withholding<'a> {
    /// Over a graph and its program; `None` when there is no edge to a userset that could be withheld, so that the base
    /// itself answers.
    pub fn over(
        base: &'a dyn Graph,
        program: &'a Program,
        withheld: &'a dyn Withheld,
    ) -> Option<Withholding<'a>> {
        let mut kinds = FxHashMap::default();
        for (name, type_id, of_type) in program.userset_kinds() {
            if withheld.has_any(name) {
                let met = of_type.iter().filter(|kind| base.has_plain(**kind) || base.has_qualified(**kind));
                kinds.extend(met.map(|kind| (*kind, (type_id, name.as_str()))));
            }
        }
        if kinds.is_empty() {
            return None;
        }
        Some(Withholding {
            base,
            program: program.with_forms(),
            withheld,
            kinds,
            judged: RefCell::default(),
            plain: Rows::default(),
            qualified: Rows::default(),
        })
    }

    /// The program that queries of this graph run.
    pub fn program(&self) -> &'a Program {
        self.program
    }

    /// The type of the usersets of a kind, where they may be withheld.
    fn judged_type(&self, kind: KindId, is_granting: bool) -> Option<(TypeId, &'a str)> {
        if is_granting { self.kinds.get(&kind).copied() } else { None }
    }

    fn is_withheld(&self, (type_id, object_type): (TypeId, &str), object: Ordinal) -> bool {
        if let Some(known) = self.judged.borrow().get(&(type_id, object)) {
            return *known;
        }
        let is_withheld = self.base.object_id(type_id, object).is_some_and(|id| {
            // Whoever lost the name to a later incarnation had ended before.
            self.base.ordinal(type_id, id) != Some(object) || self.withheld.is_withheld(object_type, id)
        });
        self.judged.borrow_mut().insert((type_id, object), is_withheld);
        is_withheld
    }
}

impl Graph for Withholding<'_> {
    fn catalog(&self) -> &Catalog {
        self.base.catalog()
    }

    fn ordinal(&self, object_type: TypeId, object_id: &str) -> Option<Ordinal> {
        self.base.ordinal(object_type, object_id)
    }

    fn ordinals(&self, asked: &[(TypeId, &str)], found: &mut [Option<Ordinal>]) {
        self.base.ordinals(asked, found);
    }

    fn seek<'s>(&'s self, object_type: TypeId, object_id: &'s str) -> Sought<'s> {
        self.base.seek(object_type, object_id)
    }

    fn object_id(&self, object_type: TypeId, ordinal: Ordinal) -> Option<&str> {
        self.base.object_id(object_type, ordinal)
    }

    fn has_replaced(&self) -> bool {
        self.base.has_replaced()
    }

    fn replaced(&self, object_type: TypeId) -> Option<&RoaringBitmap> {
        self.base.replaced(object_type)
    }

    fn keep_named(&self, object_type: TypeId, objects: &mut RoaringBitmap) {
        self.base.keep_named(object_type, objects);
    }

    fn subjects(&self, kind: KindId, resource: Ordinal) -> Members<'_> {
        let (kind, is_granting) = kind.whole();
        let all = self.base.subjects(kind, resource);
        let Some(of) = self.judged_type(kind, is_granting) else { return all };
        if !all.iter().any(|subject| self.is_withheld(of, subject)) {
            return all;
        }
        let left = self.plain.get_or_make((kind, resource), || {
            all.iter().filter(|subject| !self.is_withheld(of, *subject)).map(|subject| subject.0).collect()
        });
        match left {
            Some([]) | None => Members::Empty,
            Some(left) => Members::Few(left),
        }
    }

    fn resources(&self, kind: KindId, subject: Ordinal) -> Members<'_> {
        let (kind, is_granting) = kind.whole();
        match self.judged_type(kind, is_granting) {
            Some(of) if self.is_withheld(of, subject) => Members::Empty,
            _ => self.base.resources(kind, subject),
        }
    }

    fn prefetch_subjects(&self, kind: KindId, resource: Ordinal) {
        self.base.prefetch_subjects(kind.whole().0, resource);
    }

    fn prefetch_resources(&self, kind: KindId, subject: Ordinal) {
        self.base.prefetch_resources(kind.whole().0, subject);
    }

    fn qualified_subjects(&self, kind: KindId, resource: Ordinal) -> &[QualifiedEdge] {
        let (kind, is_granting) = kind.whole();
        let all = self.base.qualified_subjects(kind, resource);
        let Some(of) = self.judged_type(kind, is_granting) else { return all };
        if !all.iter().any(|edge| self.is_withheld(of, edge.other)) {
            return all;
        }
        let left = self.qualified.get_or_make((kind, resource), || {
            all.iter().filter(|edge| !self.is_withheld(of, edge.other)).cloned().collect()
        });
        left.unwrap_or(&[])
    }

    fn qualified_resources(&self, kind: KindId, subject: Ordinal) -> &[QualifiedEdge] {
        let (kind, is_granting) = kind.whole();
        match self.judged_type(kind, is_granting) {
            Some(of) if self.is_withheld(of, subject) => &[],
            _ => self.base.qualified_resources(kind, subject),
        }
    }

    fn replaced_resources(&self, kind: KindId) -> Replaced<'_> {
        self.base.replaced_resources(kind.whole().0)
    }

    fn replaced_subjects(&self, kind: KindId) -> Replaced<'_> {
        self.base.replaced_subjects(kind.whole().0)
    }

    fn has_plain(&self, kind: KindId) -> bool {
        self.base.has_plain(kind.whole().0)
    }

    fn has_qualified(&self, kind: KindId) -> bool {
        self.base.has_qualified(kind.whole().0)
    }
}
