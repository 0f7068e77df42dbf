//! What is asked of a case: questions, changes, and faulty forms of both.

use serde_json::json;

use super::caveats;
use super::generate::{IDS, TYPES, bound, edge};
use super::random::Random;
use super::schema::{Definition, Schema};
use super::step::{At, Context, Edge, Filter, Item, Object, Operation, Step, Subject};

/// An id that no relationship mentions.
pub(super) const STRANGER: &str = "stranger";

struct Asker<'a> {
    random: &'a mut Random,
    schema: &'a Schema,
    edges: &'a [Edge],
    /// How many writes came before, all of which may have failed.
    writes: usize,
}

/// So many requests. Every change is followed by an export, so that the states are compared too.
pub(super) fn steps(random: &mut Random, schema: &Schema, edges: &[Edge], count: usize) -> Vec<Step> {
    let mut asker = Asker { random, schema, edges, writes: 1 };
    let mut steps = Vec::new();
    while steps.len() < count {
        let step = asker.step();
        let changes = step.is_change();
        steps.push(step);
        if changes {
            steps.push(Step::Export);
            asker.writes += 1;
        }
    }
    steps
}

impl Asker<'_> {
    fn step(&mut self) -> Step {
        match self.random.below(100) {
            0..=41 => {
                let at = self.at();
                Step::Check(self.item(), at)
            }
            42..=46 => Step::Bulk(self.items()),
            47..=60 => self.lookup_resources(),
            61..=72 => self.lookup_subjects(),
            73..=77 => Step::Expand { resource: self.resource(), permission: self.permission() },
            78..=81 => {
                let at = self.at();
                let page = *self.random.pick(&[0, 0, 1, 3]);
                Step::Read { filter: self.filter(), page, at }
            }
            82..=92 => self.write(),
            93..=95 => self.delete(),
            _ => self.change_schema(),
        }
    }

    fn at(&mut self) -> At {
        match self.random.below(10) {
            0 => At::Exact(self.random.below(self.writes)),
            1 => At::Fresh,
            _ => At::Head,
        }
    }

    fn id(&mut self) -> &'static str {
        if self.random.percent(5) { STRANGER } else { IDS[self.random.below(IDS.len())] }
    }

    fn definition(&mut self) -> &Definition {
        let schema = self.schema;
        // The first type rarely has names.
        let first = usize::from(!self.random.percent(8));
        &schema.definitions[self.random.between(first, schema.definitions.len() - 1)]
    }

    fn kind(&mut self) -> String {
        match self.random.below(60) {
            0 => "nothing".to_owned(),
            1 => "Bad!".to_owned(),
            2 => String::new(),
            3 => self.random.pick(&TYPES).to_string(),
            _ => self.definition().name.to_owned(),
        }
    }

    fn permission(&mut self) -> String {
        match self.random.below(60) {
            0 => "nowhere".to_owned(),
            1 => "x".to_owned(),
            2 => String::new(),
            _ => {
                let names = self.definition().names();
                self.random.pick_any(&names).map_or("view", |name| *name).to_owned()
            }
        }
    }

    fn resource(&mut self) -> Object {
        let kind = self.kind();
        match self.random.below(60) {
            0 => Object::new(&kind, "*"),
            1 => Object::new(&kind, "no spaces"),
            _ => Object::new(&kind, self.id()),
        }
    }

    fn subject(&mut self) -> Subject {
        let edges = self.edges;
        // Often a subject that a relationship has, so that answers are not all denials.
        if self.random.percent(55)
            && let Some(edge) = self.random.pick_any(edges)
            && edge.subject.object.id != "*"
        {
            return edge.subject.clone();
        }
        let kind = if self.random.percent(75) { "user".to_owned() } else { self.kind() };
        let id = match self.random.below(50) {
            0 => "*",
            1 => "",
            _ => self.id(),
        };
        let relation = if self.random.percent(12) { self.permission() } else { String::new() };
        Subject { object: Object::new(&kind, id), relation }
    }

    fn context(&mut self) -> Context {
        let mut context = Context::new();
        let schema = self.schema;
        let share = *self.random.pick(&[0, 30, 60, 100]);
        for caveat in &schema.caveats {
            for (name, kind) in caveat.parameters {
                if self.random.percent(share) {
                    context.insert((*name).to_owned(), caveats::value(self.random, kind));
                } else if self.random.percent(2) {
                    context.insert((*name).to_owned(), caveats::wrong_value(self.random));
                }
            }
        }
        if self.random.percent(10) {
            context.insert("unknown".to_owned(), json!("parameter"));
        }
        if self.random.percent(1) {
            context.insert("much".to_owned(), json!("x".repeat(5000)));
        }
        context
    }

    fn item(&mut self) -> Item {
        let edges = self.edges;
        let context = self.context();
        let subject = self.subject();
        // Half ask about a resource that has relationships, under a name that its type has.
        if self.random.percent(75)
            && let Some(edge) = self.random.pick_any(edges)
            && let Some(definition) = self.schema.definition(&edge.resource.kind)
        {
            let names = definition.names();
            let permission = (*self.random.pick(&names)).to_owned();
            return Item { resource: edge.resource.clone(), permission, subject, context };
        }
        Item { resource: self.resource(), permission: self.permission(), subject, context }
    }

    fn items(&mut self) -> Vec<Item> {
        let first = self.item();
        let mut items = Vec::new();
        for _ in 0..self.random.between(2, 12) {
            let mut item = if self.random.percent(60) { first.clone() } else { self.item() };
            if self.random.percent(50) {
                item.resource.id = self.id().to_owned();
            }
            if self.random.percent(30) {
                item.context = self.context();
            }
            items.push(item);
        }
        items
    }

    fn lookup_resources(&mut self) -> Step {
        let context = self.context();
        let subject = self.subject();
        let definition = self.definition().clone();
        let names = definition.names();
        let known = self.random.percent(90);
        let permission = match self.random.pick_any(&names).filter(|_| known) {
            Some(name) => (*name).to_owned(),
            None => self.permission(),
        };
        let resource_type = if known { definition.name.to_owned() } else { self.kind() };
        let page = *self.random.pick(&[0, 0, 1, 2, 7]);
        Step::LookupResources { resource_type, permission, subject, context, page }
    }

    fn lookup_subjects(&mut self) -> Step {
        let context = self.context();
        let item = self.item();
        let subject_type = if self.random.percent(70) { "user".to_owned() } else { self.kind() };
        let subject_relation = if self.random.percent(15) { self.permission() } else { String::new() };
        let Item { resource, permission, .. } = item;
        Step::LookupSubjects { resource, permission, subject_type, subject_relation, context }
    }

    fn filter(&mut self) -> Filter {
        let mut filter = Filter::default();
        let like = self.random.pick_any(self.edges).cloned();
        let Some(like) = like else {
            filter.resource_type = self.kind();
            return filter;
        };
        if self.random.percent(85) {
            filter.resource_type =
                if self.random.percent(5) { self.kind() } else { like.resource.kind.clone() };
        }
        if self.random.percent(40) {
            filter.resource_id.clone_from(&like.resource.id);
        }
        if self.random.percent(15) {
            filter.resource_id_prefix = like.resource.id.chars().take(1).collect();
        }
        if self.random.percent(50) {
            filter.relation = if self.random.percent(8) { self.permission() } else { like.relation.clone() };
        }
        if self.random.percent(50) {
            let relation = match self.random.below(3) {
                0 => Some(like.subject.relation.clone()),
                1 if self.random.percent(30) => Some(String::new()),
                _ => None,
            };
            let id = if self.random.percent(60) { like.subject.object.id.clone() } else { String::new() };
            let kind = if self.random.percent(5) { self.kind() } else { like.subject.object.kind.clone() };
            filter.subject = Some((kind, id, relation));
        }
        filter
    }

    fn preconditions(&mut self) -> Vec<(bool, Filter)> {
        let count = if self.random.percent(20) { self.random.between(1, 2) } else { 0 };
        (0..count).map(|_| (self.random.percent(60), self.filter())).collect()
    }

    fn new_edge(&mut self) -> Option<Edge> {
        let old = self.random.percent(30);
        match self.random.pick_any(self.edges).filter(|_| old) {
            Some(edge) => Some(edge.clone()),
            None => edge(self.random, self.schema, false),
        }
    }

    /// Makes a relationship faulty in one way.
    fn spoil(&mut self, edge: &mut Edge) {
        let random = &mut *self.random;
        match random.below(16) {
            0 => edge.resource.kind = "nothing".to_owned(),
            1 => edge.relation = (*random.pick(&["view", "edit", "nowhere", "a", ""])).to_owned(),
            2 => {
                edge.subject.object.kind =
                    (*random.pick(&["nothing", "user", "group", "folder", ""])).to_owned()
            }
            3 => edge.subject.relation = (*random.pick(&["member", "view", "nowhere", "..."])).to_owned(),
            4 => edge.subject.object.id = "*".to_owned(),
            5 => edge.resource.id = (*random.pick(&["*", "", "a b", "ü"])).to_owned(),
            6 => edge.caveat = None,
            7 => edge.caveat = Some(("absent".to_owned(), Context::new())),
            8 | 9 => {
                let name = random.pick_any(&self.schema.caveats).map_or("flagged", |caveat| caveat.name);
                edge.caveat = Some((name.to_owned(), bound(random, name)));
            }
            10 | 11 => {
                if let Some((name, context)) = &mut edge.caveat
                    && let Some(caveat) = caveats::named(name)
                {
                    let (parameter, _) = random.pick(caveat.parameters);
                    context.insert((*parameter).to_owned(), caveats::wrong_value(random));
                }
            }
            12 => {
                if let Some((_, context)) = &mut edge.caveat {
                    context.insert("unknown".to_owned(), json!(1));
                }
            }
            13 => edge.expires_at_s = Some(super::step::FUTURE_S),
            14 => edge.expires_at_s = None,
            _ => edge.caveat = Some(("bad name!".to_owned(), Context::new())),
        }
    }

    fn write(&mut self) -> Step {
        let mut updates: Vec<(Operation, Edge)> = Vec::new();
        let faulty = self.random.percent(45);
        let repeats = self.random.percent(6);
        for _ in 0..self.random.between(1, 4) {
            let Some(edge) = self.new_edge() else { continue };
            let operation = *self.random.pick(&[
                Operation::Touch,
                Operation::Touch,
                Operation::Create,
                Operation::Delete,
            ]);
            if repeats || !updates.iter().any(|(_, old)| old.same(&edge)) {
                updates.push((operation, edge));
            }
        }
        if repeats && let Some(first) = updates.first().cloned() {
            updates.push(first);
        }
        if faulty && let Some((_, edge)) = updates.last_mut() {
            let mut spoilt = edge.clone();
            self.spoil(&mut spoilt);
            *edge = spoilt;
        }
        Step::Write { updates, preconditions: self.preconditions() }
    }

    fn delete(&mut self) -> Step {
        // Which relationships a limited deletion takes is nobody's promise, so a limit comes with a filter for one.
        let one = self.random.pick_any(self.edges).cloned().filter(|_| self.random.percent(40));
        let preconditions = self.preconditions();
        match one {
            Some(edge) => Step::Delete {
                filter: Filter::of(&edge),
                preconditions,
                limit: *self.random.pick(&[1, 2, 1000, 1001]),
                partial: self.random.percent(50),
            },
            None => {
                let limit = *self.random.pick(&[0, 0, 1, 2, 500]);
                Step::Delete { filter: self.filter(), preconditions, limit, partial: limit == 500 }
            }
        }
    }

    /// Another schema: one part changed, or the text damaged.
    fn change_schema(&mut self) -> Step {
        let mut schema = self.schema.clone();
        let place = self.random.below(schema.definitions.len());
        match self.random.below(10) {
            0 => _ = schema.definitions.remove(place),
            1 => _ = schema.definitions[place].relations.pop(),
            2 => _ = schema.definitions[place].permissions.pop(),
            3 => {
                if let Some(relation) = schema.definitions[place].relations.first_mut()
                    && relation.allowed.len() > 1
                {
                    relation.allowed.pop();
                }
            }
            4 => _ = schema.caveats.pop(),
            5 => {
                let names = schema.definitions[place].names();
                for permission in &mut schema.definitions[place].permissions {
                    // This may refer to itself, or walk through a wildcard.
                    permission.expression = super::generate::expression(self.random, &names, &names, 2);
                }
            }
            _ => return Step::Schema(super::damage::damaged(self.random, &schema.text())),
        }
        Step::Schema(schema.text())
    }
}
