//! A program as one kind of subject sees it: every predicate that such a subject can ever have, and nothing else.

use pemba_schema::SubjectShape;
use pemba_schema::plan::{Plan, Predicate as PredicateName, SubjectKind};

use crate::components::{Components, Vertices, components};
use crate::ids::KindId;
use crate::op::Op;
use crate::program::{Body, Form, Predicate, PredicateId, Program, RelationKind};

/// The programs of all predicates for one kind of subject.
#[derive(Debug, Clone, Default)]
pub(crate) struct Specialised {
    /// By predicate; `None` for one that no such subject can have.
    bodies: Vec<Option<Lowered>>,
    /// The predicate that the subjects themselves name: `member` for subjects `group:g#member`; in both its forms where
    /// the program has two.
    own: [Option<PredicateId>; 2],
    /// The relations whose members a closure can find from the subject's side, as their usersets are all such
    /// relations too.
    pub(crate) closable: Vec<Closable>,
    /// The kinds of all edges that a closure walks.
    pub(crate) closable_kinds: Vec<KindId>,
    /// The predicates by dependency, and what of it is recursive.
    order: Vec<Component>,
    /// By predicate.
    ahead: Vec<Ahead>,
}

/// What a predicate reads of an object first, whichever way the answer goes: worth asking for ahead.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ahead {
    /// The kinds of the object's own rows.
    pub(crate) rows: Vec<KindId>,
    /// Those of them that lead to other objects, with what is asked there.
    pub(crate) steps: Vec<(KindId, PredicateId)>,
    /// Whether the subject's closure may be needed.
    pub(crate) by_closure: bool,
}

/// Predicates that depend on one another.
#[derive(Debug, Clone)]
pub(crate) struct Component {
    pub(crate) predicates: Vec<PredicateId>,
    /// Whether any depends on itself.
    pub(crate) is_recursive: bool,
    /// Whether any depends on its own absence.
    pub(crate) is_negative: bool,
}

/// What a predicate is for this kind of subject.
#[derive(Debug, Clone)]
pub(crate) enum Lowered {
    Relation(RelationPlan),
    Permission(Op),
}

/// A relation, by what its edges can mean for the subject.
#[derive(Debug, Clone, Default)]
pub(crate) struct RelationPlan {
    /// Edges to the subject itself.
    pub(crate) direct: Option<KindId>,
    /// Edges to everybody of the subject's type.
    pub(crate) wildcard: Option<KindId>,
    /// Edges to usersets that the subject can be in.
    pub(crate) usersets: Vec<UsersetPlan>,
}

/// Edges to usersets of one predicate.
#[derive(Debug, Clone)]
pub(crate) struct UsersetPlan {
    pub(crate) kind: KindId,
    pub(crate) target: PredicateId,
    /// The target's place in `Specialised::closable`, if it has one.
    pub(crate) closable: Option<u32>,
    /// Whether the target has only direct edges, so that asking it is one probe.
    pub(crate) is_flat: bool,
}

/// A relation that a closure spans.
#[derive(Debug, Clone)]
pub(crate) struct Closable {
    pub(crate) predicate: PredicateId,
    /// As in the relation's plan.
    pub(crate) direct: Option<KindId>,
    /// As in the relation's plan.
    pub(crate) wildcard: Option<KindId>,
    /// Kinds of edges that hold this relation's usersets, each with the place of the relation that owns them.
    pub(crate) parents: Vec<(KindId, u32)>,
}

impl Specialised {
    /// Compiles a program for subjects of one kind.
    pub(crate) fn compile(program: &Program, subject: &SubjectKind) -> Specialised {
        let lowering = Lowering { program, subject };
        let own = subject
            .relation
            .as_ref()
            .and_then(|relation| program.predicate_id(&subject.subject_type, relation));
        let whole = own.filter(|_| program.has_forms()).map(|own| program.in_form(own, Form::Whole));
        let bodies = program.predicates().map(|(id, predicate)| lowering.lower(id, predicate)).collect();
        Specialised::of(bodies, [own, whole])
    }

    /// From what the predicates are, in order of their numbers.
    pub(crate) fn of(bodies: Vec<Option<Lowered>>, own: [Option<PredicateId>; 2]) -> Specialised {
        let mut specialised = Specialised { bodies, own, ..Specialised::default() };
        specialised.prune();
        specialised.close();
        specialised.order = specialised.components();
        specialised.ahead = (0..)
            .map(PredicateId)
            .zip(&specialised.bodies)
            .map(|(id, _)| specialised.look_ahead(id))
            .collect();
        specialised
    }

    /// Whether the subjects themselves name this predicate.
    pub(crate) fn is_own(&self, id: PredicateId) -> bool {
        self.own.contains(&Some(id))
    }

    /// What a predicate reads first.
    pub(crate) fn ahead(&self, id: PredicateId) -> Option<&Ahead> {
        self.ahead.get(id.0 as usize)
    }

    fn look_ahead(&self, id: PredicateId) -> Ahead {
        let mut ahead = Ahead::default();
        let (mut seen, mut open) = (vec![id], vec![id]);
        while let Some(id) = open.pop() {
            match self.body(id) {
                None => {}
                Some(Lowered::Relation(plan)) => {
                    ahead.rows.extend(plan.direct.iter().chain(&plan.wildcard));
                    for userset in &plan.usersets {
                        ahead.rows.push(userset.kind);
                        ahead.by_closure |= userset.closable.is_some() && !userset.is_flat;
                    }
                }
                Some(Lowered::Permission(op)) => {
                    op.each_kind(&mut |kind| ahead.rows.push(kind));
                    op.each_step(&mut |step| ahead.steps.push(step));
                    op.each_reference(&mut |id| {
                        if !seen.contains(&id) {
                            seen.push(id);
                            open.push(id);
                        }
                    });
                }
            }
        }
        ahead
    }

    /// The program of a predicate; `None` when no subject of this kind can have it but by naming it.
    pub(crate) fn body(&self, id: PredicateId) -> Option<&Lowered> {
        self.bodies.get(id.0 as usize)?.as_ref()
    }

    /// The components that the given predicate depends on, in order of dependency, its own last.
    pub(crate) fn order_of(&self, id: PredicateId) -> Vec<&Component> {
        let mut needed = vec![false; self.bodies.len()];
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            match needed.get_mut(id.0 as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            self.each_dependency(id, &mut |target, _| open.push(target));
        }
        let is_needed = |id: &PredicateId| needed.get(id.0 as usize).copied().unwrap_or(false);
        self.order.iter().filter(|component| component.predicates.iter().any(is_needed)).collect()
    }

    fn each_dependency(&self, id: PredicateId, visit: &mut impl FnMut(PredicateId, bool)) {
        match self.body(id) {
            Some(Lowered::Relation(plan)) => {
                plan.usersets.iter().for_each(|userset| visit(userset.target, false))
            }
            Some(Lowered::Permission(op)) => op.each_target(false, visit),
            None => {}
        }
    }

    /// Drops what can never be had: the plans say what is reachable by type; this also drops what only leads there
    /// through something dropped.
    fn prune(&mut self) {
        let mut alive = vec![false; self.bodies.len()];
        for own in self.own.into_iter().flatten() {
            if let Some(alive) = alive.get_mut(own.0 as usize) {
                *alive = true;
            }
        }
        loop {
            let mut changed = false;
            for (at, body) in self.bodies.iter().enumerate() {
                let is_alive = |id: PredicateId| alive.get(id.0 as usize).copied().unwrap_or(false);
                if !is_alive(PredicateId(u32::try_from(at).unwrap_or(u32::MAX)))
                    && body.as_ref().is_some_and(|body| body.is_alive(&is_alive))
                {
                    changed = true;
                    if let Some(slot) = alive.get_mut(at) {
                        *slot = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        let is_alive = |id: PredicateId| alive.get(id.0 as usize).copied().unwrap_or(false);
        for body in &mut self.bodies {
            *body = body.take().and_then(|body| body.pruned(&is_alive));
        }
    }

    /// Finds the closable relations: the largest set of relations all of whose usersets lead back into it.
    fn close(&mut self) {
        let mut closable: Vec<bool> =
            self.bodies.iter().map(|body| matches!(body, Some(Lowered::Relation(_)))).collect();
        // A userset's own name has members without any edges of the subject's kind.
        for own in self.own.into_iter().flatten() {
            let is_only_own = self.body(own).is_none();
            if let Some(slot) = closable.get_mut(own.0 as usize) {
                *slot |= is_only_own;
            }
        }
        loop {
            let is_closable = |id: PredicateId| closable.get(id.0 as usize).copied().unwrap_or(false);
            let broken = self.bodies.iter().enumerate().find(|(at, body)| {
                let Some(Lowered::Relation(plan)) = body else { return false };
                closable.get(*at) == Some(&true)
                    && plan.usersets.iter().any(|userset| !is_closable(userset.target))
            });
            let Some((at, _)) = broken else { break };
            if let Some(slot) = closable.get_mut(at) {
                *slot = false;
            }
        }
        self.number_closable(&closable);
    }

    /// Numbers those closable relations that some userset names, and links them.
    fn number_closable(&mut self, closable: &[bool]) {
        let mut places: Vec<Option<u32>> = vec![None; self.bodies.len()];
        let targets = self.bodies.iter().flatten().flat_map(|body| match body {
            Lowered::Relation(plan) => plan.usersets.iter().map(|userset| userset.target).collect(),
            Lowered::Permission(_) => Vec::new(),
        });
        for target in targets.collect::<Vec<_>>() {
            let Some(place) = places.get_mut(target.0 as usize) else { continue };
            if place.is_none() && closable.get(target.0 as usize) == Some(&true) {
                *place = Some(u32::try_from(self.closable.len()).unwrap_or(u32::MAX));
                let (direct, wildcard) = match self.body(target) {
                    Some(Lowered::Relation(plan)) => (plan.direct, plan.wildcard),
                    _ => (None, None),
                };
                let closable = Closable { predicate: target, direct, wildcard, parents: Vec::new() };
                self.closable.push(closable);
            }
        }
        let is_flat: Vec<bool> = self
            .bodies
            .iter()
            .map(|body| matches!(body, Some(Lowered::Relation(plan)) if plan.usersets.is_empty()))
            .collect();
        for (at, body) in self.bodies.iter_mut().enumerate() {
            let Some(Lowered::Relation(plan)) = body else { continue };
            for userset in &mut plan.usersets {
                let target = userset.target.0 as usize;
                userset.closable = places.get(target).copied().flatten();
                userset.is_flat = is_flat.get(target) == Some(&true);
                let owner = places.get(at).copied().flatten();
                let target = userset.closable.and_then(|target| self.closable.get_mut(target as usize));
                if let (Some(owner), Some(target)) = (owner, target) {
                    target.parents.push((userset.kind, owner));
                }
            }
        }
        self.closable_kinds = self.kinds_of_closures();
    }

    fn kinds_of_closures(&self) -> Vec<KindId> {
        let base =
            self.closable.iter().flat_map(|closable| closable.direct.into_iter().chain(closable.wildcard));
        let between = self.closable.iter().flat_map(|closable| &closable.parents).map(|(kind, _)| *kind);
        base.chain(between).collect()
    }

    fn components(&self) -> Vec<Component> {
        let mut edges: Vec<Vec<(PredicateId, bool)>> = Vec::with_capacity(self.bodies.len());
        for at in 0..self.bodies.len() {
            let mut targets = Vec::new();
            self.each_dependency(
                PredicateId(u32::try_from(at).unwrap_or(u32::MAX)),
                &mut |target, negated| {
                    targets.push((target, negated));
                },
            );
            edges.push(targets);
        }
        let roots: Vec<u32> = (0..u32::try_from(edges.len()).unwrap_or(u32::MAX)).collect();
        let found: Components = components(&Dependencies(&edges), &roots);
        found
            .iter()
            .map(|vertices| {
                let predicates: Vec<PredicateId> = vertices.iter().copied().map(PredicateId).collect();
                let inner = || {
                    let from = predicates.iter().filter_map(|id| edges.get(id.0 as usize));
                    from.flatten().filter(|(target, _)| predicates.contains(target))
                };
                let is_recursive = inner().next().is_some();
                let is_negative = inner().any(|(_, negated)| *negated);
                Component { predicates, is_recursive, is_negative }
            })
            .collect()
    }
}

struct Dependencies<'a>(&'a [Vec<(PredicateId, bool)>]);

impl Vertices for Dependencies<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn successor(&self, vertex: u32, index: u32) -> Option<u32> {
        self.0.get(vertex as usize)?.get(index as usize).map(|(target, _)| target.0)
    }
}

impl Lowered {
    fn is_alive(&self, alive: &impl Fn(PredicateId) -> bool) -> bool {
        match self {
            Lowered::Relation(plan) => {
                plan.direct.is_some()
                    || plan.wildcard.is_some()
                    || plan.usersets.iter().any(|userset| alive(userset.target))
            }
            Lowered::Permission(op) => op.is_alive(alive),
        }
    }

    fn pruned(self, alive: &impl Fn(PredicateId) -> bool) -> Option<Lowered> {
        match self {
            Lowered::Relation(mut plan) => {
                plan.usersets.retain(|userset| alive(userset.target));
                let plan = Lowered::Relation(plan);
                plan.is_alive(alive).then_some(plan)
            }
            Lowered::Permission(op) => match op.pruned(alive) {
                Op::Never => None,
                op => Some(Lowered::Permission(op)),
            },
        }
    }
}

struct Lowering<'a> {
    program: &'a Program,
    subject: &'a SubjectKind,
}

impl Lowering<'_> {
    fn lower(&self, id: PredicateId, predicate: &Predicate) -> Option<Lowered> {
        let form = self.program.form_of(id);
        match &predicate.body {
            Body::Relation(kinds) => Some(Lowered::Relation(self.relation(kinds, form))),
            Body::Permission(_) => {
                let name = PredicateName {
                    object_type: predicate.object_type.clone(),
                    name: predicate.name.clone(),
                };
                let plan = self.program.plans().plan(&name)?;
                Some(Lowered::Permission(self.permission(predicate, plan, form)))
            }
        }
    }

    /// A predicate by name, in a form.
    fn named(&self, object_type: &str, name: &str, form: Form) -> Option<PredicateId> {
        self.program.predicate_id(object_type, name).map(|id| self.program.in_form(id, form))
    }

    fn relation(&self, kinds: &[RelationKind], form: Form) -> RelationPlan {
        let mut plan = RelationPlan::default();
        for kind in kinds {
            let is_subject_type = kind.subject_type == self.subject.subject_type;
            match (&kind.shape, &self.subject.relation) {
                (SubjectShape::Direct, None) if is_subject_type => plan.direct = Some(kind.kind),
                (SubjectShape::Wildcard, None) if is_subject_type => plan.wildcard = Some(kind.kind),
                (SubjectShape::Userset(of), own) => {
                    if is_subject_type && own.as_ref() == Some(of) {
                        plan.direct = Some(kind.kind);
                    }
                    if let Some(target) = self.named(&kind.subject_type, of, form) {
                        plan.usersets.push(UsersetPlan {
                            kind: kind.kind,
                            target,
                            closable: None,
                            is_flat: false,
                        });
                    }
                }
                (SubjectShape::Direct | SubjectShape::Wildcard, _) => {}
            }
        }
        plan
    }

    fn permission(&self, owner: &Predicate, plan: &Plan, form: Form) -> Op {
        let operands = |plans: &[Plan]| {
            let mut ops: Vec<Op> = plans.iter().map(|plan| self.permission(owner, plan, form)).collect();
            ops.sort_by_key(|op| op.cost(self.program));
            ops
        };
        match plan {
            Plan::Nil => Op::Never,
            Plan::SelfObject => {
                let is_own =
                    self.subject.relation.is_none() && self.subject.subject_type == owner.object_type;
                if is_own { Op::SelfObject } else { Op::Never }
            }
            Plan::Reference(name) => {
                self.named(&owner.object_type, name, form).map_or(Op::Never, Op::Reference)
            }
            Plan::Arrow { relation, target, all } => self.arrow(owner, (relation, target, *all), form),
            Plan::Union(plans) => Op::Any(operands(plans)),
            Plan::Intersection(plans) => Op::All(operands(plans)),
            Plan::Exclusion(from, without) => {
                let (from, without) =
                    (self.permission(owner, from, form), self.permission(owner, without, form.negated()));
                Op::Minus(Box::new(from), Box::new(without))
            }
        }
    }

    fn arrow(&self, owner: &Predicate, (relation, target, all): (&str, &str, bool), form: Form) -> Op {
        // An arrow goes to the object of a userset and asks for none of its members.
        let relation = self.named(&owner.object_type, relation, Form::Whole);
        let body = relation.and_then(|id| self.program.predicate(id)).map(|predicate| &predicate.body);
        let Some(Body::Relation(kinds)) = body else { return Op::Never };
        // An arrow walks to objects; everybody is not one.
        let walked = kinds.iter().filter(|kind| kind.shape != SubjectShape::Wildcard);
        let steps = walked.map(|kind| (kind.kind, self.named(&kind.subject_type, target, form)));
        if all {
            Op::ArrowAll(steps.collect())
        } else {
            Op::ArrowAny(steps.filter_map(|(kind, target)| Some((kind, target?))).collect())
        }
    }
}
