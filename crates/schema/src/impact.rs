//! Who may gain or lose access by a change of the schema, as far as the schemas tell.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use smol_str::SmolStr;

use crate::schema::{AllowedSubject, Expression, Permission, Schema, SubjectShape};

/// Most different operands of two expressions that are compared exactly; of more it is taken that anything may
/// change.
const OPERANDS_MAX: usize = 12;

/// A relation or permission of an object type.
pub type Member = (SmolStr, SmolStr);

/// What a change of the schema can do to access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Somebody may have what they had not.
    Widens,
    /// Somebody may no longer have what they had.
    Narrows,
}

impl Effect {
    fn reversed(self) -> Effect {
        match self {
            Effect::Widens => Effect::Narrows,
            Effect::Narrows => Effect::Widens,
        }
    }
}

/// Why a relation or permission has an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It is computed in another way, or was a relation and is a permission, or the other way round.
    Itself,
    /// It takes a kind of subject that it did not take.
    Takes(AllowedSubject),
    /// It is new, or gone.
    Existence,
    /// A caveat that it takes is another.
    Caveat(SmolStr),
    /// It depends on this one, which has an effect.
    Through(Member),
}

/// A permission of both schemas that may come out otherwise for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    /// The permission.
    pub permission: Member,
    /// What may happen.
    pub effect: Effect,
    /// Why, in its shortest form.
    pub cause: Cause,
}

/// What a change from `old` to `new` can do, by permission: those that both have. Nothing is left out but what depends
/// on data that the new schema does not allow, which a server refuses to write. Takes time linear in both schemas, but
/// for logarithms.
pub fn impact(old: &Schema, new: &Schema) -> Vec<Impact> {
    let mut causes: BTreeMap<(Member, Effect), Cause> = BTreeMap::new();
    let mut open = VecDeque::new();
    for (member, effect, cause) in changes(old, new) {
        causes.entry((member.clone(), effect)).or_insert_with(|| {
            open.push_back((member, effect));
            cause
        });
    }
    let dependents = dependents(new);
    while let Some((member, effect)) = open.pop_front() {
        for (dependent, is_positive) in dependents.get(&member).into_iter().flatten() {
            let effect = if *is_positive { effect } else { effect.reversed() };
            causes.entry((dependent.clone(), effect)).or_insert_with(|| {
                open.push_back((dependent.clone(), effect));
                Cause::Through(member.clone())
            });
        }
    }
    let has = |schema: &Schema, (definition, name): &Member| {
        schema.definition(definition).is_some_and(|found| found.permissions.contains_key(name))
    };
    let kept = causes.into_iter().filter(|((member, _), _)| has(old, member) && has(new, member));
    kept.map(|((permission, effect), cause)| Impact { permission, effect, cause }).collect()
}

/// What changes in relations and permissions themselves.
fn changes(old: &Schema, new: &Schema) -> Vec<(Member, Effect, Cause)> {
    let mut found = Vec::new();
    let names = old.definitions.keys().chain(new.definitions.keys()).collect::<BTreeSet<_>>();
    let changed_caveats: BTreeSet<&SmolStr> = old
        .caveats
        .values()
        .filter(|before| {
            let after = new.caveats.get(&before.name);
            after.is_some_and(|after| {
                after.expression != before.expression || after.parameters != before.parameters
            })
        })
        .map(|caveat| &caveat.name)
        .collect();
    for name in names {
        let (before, after) = (old.definition(name), new.definition(name));
        let members: BTreeSet<&SmolStr> =
            before.into_iter().chain(after).flat_map(|definition| definition.names()).collect();
        for member in members {
            let mut add = |effect, cause| found.push(((name.clone(), member.clone()), effect, cause));
            let relation = |side: Option<&crate::schema::Definition>| {
                side.and_then(|definition| definition.relations.get(member)).cloned()
            };
            let permission = |side: Option<&crate::schema::Definition>| {
                side.and_then(|definition| definition.permissions.get(member)).cloned()
            };
            match ((relation(before), permission(before)), (relation(after), permission(after))) {
                ((Some(before), _), (Some(after), _)) => {
                    for allowed in after.allowed.iter().filter(|allowed| !before.allowed.contains(allowed)) {
                        add(Effect::Widens, Cause::Takes(allowed.clone()));
                    }
                    let caveats = after.allowed.iter().filter_map(|allowed| allowed.caveat.as_ref());
                    for caveat in caveats.filter(|caveat| changed_caveats.contains(caveat)) {
                        add(Effect::Widens, Cause::Caveat(caveat.clone()));
                        add(Effect::Narrows, Cause::Caveat(caveat.clone()));
                    }
                }
                ((_, Some(before)), (_, Some(after))) => {
                    compare(&before, &after).into_iter().for_each(|effect| add(effect, Cause::Itself));
                }
                ((None, None), _) => add(Effect::Widens, Cause::Existence),
                (_, (None, None)) => add(Effect::Narrows, Cause::Existence),
                _ => {
                    add(Effect::Widens, Cause::Itself);
                    add(Effect::Narrows, Cause::Itself);
                }
            }
        }
    }
    found
}

/// What another way to compute a permission can do when all that it is made of stays as it is.
fn compare(before: &Permission, after: &Permission) -> Vec<Effect> {
    let (before, after) = (&before.expression, &after.expression);
    if before == after {
        return Vec::new();
    }
    let mut operands = Vec::new();
    collect(before, &mut operands);
    collect(after, &mut operands);
    if operands.len() > OPERANDS_MAX {
        return vec![Effect::Widens, Effect::Narrows];
    }
    let (mut widens, mut narrows) = (false, false);
    for values in 0_u32..1 << operands.len() {
        if !is_possible(&operands, values) {
            continue;
        }
        match (holds(before, &operands, values), holds(after, &operands, values)) {
            (false, true) => widens = true,
            (true, false) => narrows = true,
            _ => {}
        }
    }
    let effects = [(widens, Effect::Widens), (narrows, Effect::Narrows)];
    effects.into_iter().filter(|(happens, _)| *happens).map(|(_, effect)| effect).collect()
}

fn collect<'a>(expression: &'a Expression, operands: &mut Vec<&'a Expression>) {
    match expression {
        Expression::Nil => {}
        Expression::SelfObject | Expression::Reference(_) | Expression::Arrow { .. } => {
            // What is above the bound need not be told apart any further.
            if operands.len() <= OPERANDS_MAX && !operands.contains(&expression) {
                operands.push(expression);
            }
        }
        Expression::Union(inner) | Expression::Intersection(inner) => {
            inner.iter().for_each(|operand| collect(operand, operands));
        }
        Expression::Exclusion(left, right) => {
            collect(left, operands);
            collect(right, operands);
        }
    }
}

fn value(operand: &Expression, operands: &[&Expression], values: u32) -> bool {
    operands.iter().position(|known| *known == operand).is_some_and(|place| (values >> place) & 1 == 1)
}

/// Whether operands can have these values together: what holds for all subjects of a relation holds for any.
fn is_possible(operands: &[&Expression], values: u32) -> bool {
    operands.iter().all(|operand| match operand {
        Expression::Arrow { relation, target, all: true } if value(operand, operands, values) => {
            let any = Expression::Arrow { relation: relation.clone(), target: target.clone(), all: false };
            !operands.contains(&&any) || value(&any, operands, values)
        }
        _ => true,
    })
}

fn holds(expression: &Expression, operands: &[&Expression], values: u32) -> bool {
    match expression {
        Expression::Nil => false,
        Expression::SelfObject | Expression::Reference(_) | Expression::Arrow { .. } => {
            value(expression, operands, values)
        }
        Expression::Union(inner) => inner.iter().any(|operand| holds(operand, operands, values)),
        Expression::Intersection(inner) => inner.iter().all(|operand| holds(operand, operands, values)),
        Expression::Exclusion(left, right) => {
            holds(left, operands, values) && !holds(right, operands, values)
        }
    }
}

/// Who depends on a relation or permission: with `true` the dependent has more when it has more, with `false` less.
type Dependents = BTreeMap<Member, BTreeSet<(Member, bool)>>;

fn dependents(schema: &Schema) -> Dependents {
    let mut dependents = Dependents::new();
    for definition in schema.definitions.values() {
        for relation in definition.relations.values() {
            let own = (definition.name.clone(), relation.name.clone());
            for allowed in &relation.allowed {
                if let SubjectShape::Userset(name) = &allowed.shape {
                    let on = (allowed.subject_type.clone(), name.clone());
                    dependents.entry(on).or_default().insert((own.clone(), true));
                }
            }
        }
        for permission in definition.permissions.values() {
            let own = (definition.name.clone(), permission.name.clone());
            let mut walk = Walk { schema, own, dependents: &mut dependents };
            walk.expression(&permission.expression, true);
        }
    }
    dependents
}

struct Walk<'a> {
    schema: &'a Schema,
    own: Member,
    dependents: &'a mut Dependents,
}

impl Walk<'_> {
    fn depends(&mut self, on: Member, is_positive: bool) {
        self.dependents.entry(on).or_default().insert((self.own.clone(), is_positive));
    }

    fn expression(&mut self, expression: &Expression, is_positive: bool) {
        match expression {
            Expression::Nil | Expression::SelfObject => {}
            Expression::Reference(name) => self.depends((self.own.0.clone(), name.clone()), is_positive),
            Expression::Arrow { relation, target, all } => {
                let on = (self.own.0.clone(), relation.clone());
                if *all {
                    // One more subject is one more that must have it, but the first makes it possible.
                    self.depends(on.clone(), !is_positive);
                }
                self.depends(on, is_positive);
                let node =
                    self.schema.definition(&self.own.0).and_then(|found| found.relations.get(relation));
                for allowed in node.map_or(&[][..], |node| &node.allowed) {
                    self.depends((allowed.subject_type.clone(), target.clone()), is_positive);
                }
            }
            Expression::Union(operands) | Expression::Intersection(operands) => {
                operands.iter().for_each(|operand| self.expression(operand, is_positive));
            }
            Expression::Exclusion(left, right) => {
                self.expression(left, is_positive);
                self.expression(right, !is_positive);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::compile;

    const OLD: &str = "
caveat odd(number int) { number % 2 == 1 }
definition user {}
definition group {
    relation member: user
}
definition folder {
    relation viewer: user | group#member
    relation banned: user with odd
    permission look = viewer - banned
}
definition doc {
    relation parent: folder
    relation owner: user
    permission view = owner + parent->look
    permission all = parent.all(look)
    permission edit = owner
}";

    fn impacts(from: &str, to: &str) -> Vec<String> {
        let new = OLD.replace(from, to);
        assert_ne!(new, OLD, "{from}");
        let schema = |text: &str| compile(text).unwrap().schema;
        impact(&schema(OLD), &schema(&new))
            .into_iter()
            .map(|Impact { permission: (definition, name), effect, cause }| {
                let sign = if effect == Effect::Widens { '+' } else { '-' };
                let cause = match cause {
                    Cause::Itself => "itself".to_owned(),
                    Cause::Takes(allowed) => format!("takes {}", allowed.subject_type),
                    Cause::Existence => "existence".to_owned(),
                    Cause::Caveat(name) => name.to_string(),
                    Cause::Through((definition, name)) => format!("{definition}#{name}"),
                };
                format!("{sign}{definition}#{name} {cause}")
            })
            .collect()
    }

    #[test]
    fn expressions_are_compared_by_what_they_can_give() {
        let edit = |to: &str| impacts("edit = owner", &format!("edit = {to}"));
        assert_eq!(edit("owner + parent->look"), ["+doc#edit itself"]);
        assert_eq!(edit("owner & parent->look"), ["-doc#edit itself"]);
        assert_eq!(edit("parent->look"), ["+doc#edit itself", "-doc#edit itself"]);
        assert_eq!(edit("owner - parent->look"), ["-doc#edit itself"]);
        assert_eq!(edit("owner + (owner & parent->look)"), [""; 0], "the same, written otherwise");
        let all = impacts("all = parent.all(look)", "all = parent->look");
        assert_eq!(all, ["+doc#all itself"], "what all have, any has");
    }

    #[test]
    fn effects_go_on_through_what_depends_on_them() {
        assert_eq!(
            impacts("relation member: user", "relation member: user | group#member"),
            ["+doc#all folder#look", "+doc#view folder#look", "+folder#look folder#viewer"]
        );
        assert_eq!(
            impacts("relation banned: user with odd", "relation banned: user with odd | user"),
            ["-doc#all folder#look", "-doc#view folder#look", "-folder#look folder#banned"],
            "more that is taken away"
        );
        let caveat = impacts("number % 2 == 1", "number % 2 == 0");
        assert!(caveat.contains(&"+doc#view folder#look".to_owned()), "{caveat:?}");
        assert!(caveat.contains(&"-doc#view folder#look".to_owned()), "{caveat:?}");
        let all = impacts("relation parent: folder", "relation parent: folder | folder#viewer");
        assert!(
            all.contains(&"-doc#all doc#parent".to_owned())
                && all.contains(&"+doc#all doc#parent".to_owned())
        );
    }

    #[test]
    fn members_that_come_and_go_reach_the_arrows_to_them() {
        let with = OLD.replace("relation parent: folder", "relation parent: folder | group");
        let come = with.replace("relation member: user", "relation member: user\npermission look = member");
        let schema = |text: &str| compile(text).unwrap().schema;
        let found = impact(&schema(&with), &schema(&come));
        let view = found.iter().find(|impact| impact.permission.1 == "view").unwrap();
        assert_eq!(
            (view.effect, &view.cause),
            (Effect::Widens, &Cause::Through(("group".into(), "look".into())))
        );
        let found = impact(&schema(&come), &schema(&with));
        assert!(found.iter().any(|impact| impact.permission.1 == "view" && impact.effect == Effect::Narrows));
        assert_eq!(impact(&schema(OLD), &schema(OLD)), []);
    }
}
