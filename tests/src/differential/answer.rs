//! Answers in a form that can be compared: no tokens, no order where none is promised, no message texts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::buf::validate::field_path_element::Subscript;
use pemba_proto::buf::validate::{FieldPathElement, Violation, Violations};
use prost::Message as _;
use tonic::{Code, Status};

/// A gRPC error.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The code.
    pub code: Code,
    /// The ErrorInfo's reason, without its prefix; empty when there is no ErrorInfo.
    pub reason: String,
    /// The ErrorInfo's metadata.
    pub metadata: BTreeMap<String, String>,
    /// Every rule of the request's message that was broken.
    pub violations: Vec<Violation>,
    /// The message; never compared.
    pub message: String,
}

/// What a check answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// NO 1, HAS 2, CONDITIONAL 3, as CheckPermission numbers them.
    pub permissionship: i32,
    /// The missing parameters, sorted.
    pub missing: Vec<String>,
}

/// A subject that a lookup found: its verdict, and the subjects it leaves out when it is the wildcard.
pub type Found = (Verdict, BTreeMap<String, Verdict>);

/// An answer.
#[derive(Debug, Clone)]
pub enum Answer {
    /// An error.
    Fault(Fault),
    /// A check's.
    Check(Verdict),
    /// A bulk check's.
    Bulk(Vec<Result<Verdict, Fault>>),
    /// A lookup of resources.
    Resources {
        /// The verdict by id.
        found: BTreeMap<String, Verdict>,
        /// How many ids came more than once.
        repeated: usize,
    },
    /// A lookup of subjects.
    Subjects {
        /// What was found by id.
        found: BTreeMap<String, Found>,
        /// How many ids came more than once.
        repeated: usize,
    },
    /// An expansion, as text.
    Tree(String),
    /// Relationships, as text.
    Relationships(BTreeSet<String>),
    /// A write or a schema that was taken.
    Done,
    /// A deletion: COMPLETE 1 or PARTIAL 2, and how many.
    Deleted(i32, u64),
}

/// NO as CheckPermission numbers it.
pub const NO: i32 = 1;
/// HAS as CheckPermission numbers it.
pub const HAS: i32 = 2;
/// CONDITIONAL as CheckPermission numbers it.
pub const CONDITIONAL: i32 = 3;

impl Fault {
    /// Takes an error apart.
    pub fn of(status: &Status) -> Fault {
        Fault::with_details(status.code(), status.message(), status.details())
    }

    /// Takes the error of one bulk item apart.
    pub fn of_item(status: &pemba_proto::google::rpc::Status) -> Fault {
        Fault::with_details(Code::from(status.code), &status.message, &status.encode_to_vec())
    }

    fn with_details(code: Code, message: &str, details: &[u8]) -> Fault {
        let (reason, metadata) = error_info(details);
        Fault { code, reason, metadata, violations: violations(details), message: message.to_owned() }
    }

    /// The rules that were broken, as `updates[0].operation enum.not_in`.
    pub fn broken(&self) -> Vec<String> {
        let element = |element: &FieldPathElement| match element.subscript {
            Some(Subscript::Index(index)) => format!("{}[{index}]", element.field_name()),
            _ => element.field_name().to_owned(),
        };
        let text = |violation: &Violation| {
            let path = violation.field.as_ref().map(|path| path.elements.iter().map(element).collect());
            format!(
                "{} {}",
                path.map(|parts: Vec<_>| parts.join(".")).unwrap_or_default(),
                violation.rule_id()
            )
        };
        self.violations.iter().map(text).collect()
    }

    /// Whether Pemba's error `self` is what clients of `theirs` expect: the code, the reason, and every name in the
    /// metadata, and the same rules where any are named. Pemba may name more. Of schemas' type errors no names but `definition_name` are promised.
    pub fn same(&self, theirs: &Fault) -> bool {
        let expected = |name: &&String| theirs.reason != "SCHEMA_TYPE_ERROR" || *name == "definition_name";
        self.code == theirs.code
            && self.reason == theirs.reason
            && (theirs.violations.is_empty() || self.violations == theirs.violations)
            && theirs.metadata.keys().filter(expected).all(|name| self.metadata.contains_key(name))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {:?} ({})", self.code, self.reason, self.metadata, self.message)?;
        self.broken().iter().try_for_each(|broken| write!(f, "\n    broken: {broken}"))
    }
}

/// The broken rules in a `google.rpc.Status`.
fn violations(details: &[u8]) -> Vec<Violation> {
    let status = tonic_types::pb::Status::decode(details).unwrap_or_default();
    let found = status.details.iter().find(|detail| detail.type_url.ends_with("buf.validate.Violations"));
    found.map(|detail| Violations::decode(&*detail.value).unwrap().violations).unwrap_or_default()
}

/// The reason and metadata of the ErrorInfo in a `google.rpc.Status`.
fn error_info(details: &[u8]) -> (String, BTreeMap<String, String>) {
    let status = tonic_types::pb::Status::decode(details).unwrap_or_default();
    for detail in status.details {
        if detail.type_url.ends_with("google.rpc.ErrorInfo") {
            let info = tonic_types::pb::ErrorInfo::decode(&*detail.value).unwrap();
            let reason = info.reason.trim_start_matches("ERROR_REASON_").to_owned();
            return (reason, info.metadata.into_iter().collect());
        }
    }
    (String::new(), BTreeMap::new())
}

impl Verdict {
    /// From the parts of a response.
    pub fn new(permissionship: i32, partial: Option<&wire::PartialCaveatInfo>) -> Verdict {
        let mut missing = partial.map(|info| info.missing_required_context.clone()).unwrap_or_default();
        // A peer may name one twice.
        missing.sort();
        missing.dedup();
        Verdict { permissionship, missing }
    }

    /// Whether the other is the same but for missing parameters, of which it names some.
    pub fn same_in_short(&self, other: &Verdict) -> bool {
        let some =
            || !other.missing.is_empty() && other.missing.iter().all(|name| self.missing.contains(name));
        self.permissionship == other.permissionship && (self.missing == other.missing || some())
    }

    /// From the parts of a lookup's result, whose numbers are others.
    pub fn looked_up(permissionship: i32, partial: Option<&wire::PartialCaveatInfo>) -> Verdict {
        let number = if permissionship == 1 { HAS } else { CONDITIONAL };
        Verdict::new(number, partial)
    }
}

impl Answer {
    /// Whether clients cannot tell them apart.
    pub fn same(&self, other: &Answer) -> bool {
        self.alike(other, Verdict::eq, Fault::same)
    }

    /// As `same`, when the other may name only some of the missing parameters and need not give an error's reason.
    pub fn same_in_short(&self, other: &Answer) -> bool {
        let fault = |a: &Fault, b: &Fault| a.same(b) || (a.code == b.code && b.reason.is_empty());
        self.alike(other, Verdict::same_in_short, fault)
    }

    fn alike(
        &self,
        other: &Answer,
        verdict: impl Fn(&Verdict, &Verdict) -> bool,
        fault: impl Fn(&Fault, &Fault) -> bool,
    ) -> bool {
        match (self, other) {
            (Answer::Fault(a), Answer::Fault(b)) => fault(a, b),
            (Answer::Check(a), Answer::Check(b)) => verdict(a, b),
            (Answer::Bulk(a), Answer::Bulk(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|pair| match pair {
                        (Ok(a), Ok(b)) => verdict(a, b),
                        (Err(a), Err(b)) => fault(a, b),
                        _ => false,
                    })
            }
            (Answer::Resources { found: a, .. }, Answer::Resources { found: b, .. }) => {
                alike_by_id(a, b, verdict)
            }
            (Answer::Subjects { found: a, .. }, Answer::Subjects { found: b, .. }) => {
                let one = |(a, not_a): &Found, (b, not_b): &Found| {
                    verdict(a, b) && alike_by_id(not_a, not_b, &verdict)
                };
                alike_by_id(a, b, one)
            }
            (Answer::Tree(a), Answer::Tree(b)) => a == b,
            (Answer::Relationships(a), Answer::Relationships(b)) => a == b,
            (Answer::Done, Answer::Done) => true,
            (Answer::Deleted(a, n), Answer::Deleted(b, m)) => a == b && n == m,
            _ => false,
        }
    }
}

/// Whether both have the same ids, and what belongs to each is alike.
fn alike_by_id<T>(a: &BTreeMap<String, T>, b: &BTreeMap<String, T>, one: impl Fn(&T, &T) -> bool) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((id, a), (other, b))| id == other && one(a, b))
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Fault(fault) => write!(f, "{fault}"),
            Answer::Check(verdict) => write!(f, "{verdict}"),
            Answer::Bulk(items) => items.iter().try_for_each(|item| match item {
                Ok(verdict) => write!(f, "\n    {verdict}"),
                Err(fault) => write!(f, "\n    {fault}"),
            }),
            Answer::Resources { found, repeated } => {
                write!(f, "[")?;
                found.iter().try_for_each(|(id, verdict)| write!(f, " {id} {verdict}"))?;
                write!(f, " ] repeated {repeated}")
            }
            Answer::Subjects { found, repeated } => {
                write!(f, "[")?;
                for (id, (verdict, excluded)) in found {
                    write!(f, " {id} {verdict}")?;
                    excluded.iter().try_for_each(|(id, verdict)| write!(f, " -{id} {verdict}"))?;
                }
                write!(f, " ] repeated {repeated}")
            }
            Answer::Tree(text) => write!(f, "{text}"),
            Answer::Relationships(all) => all.iter().try_for_each(|text| write!(f, "\n    {text}")),
            Answer::Done => write!(f, "done"),
            Answer::Deleted(progress, count) => write!(f, "deleted {count}, progress {progress}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.permissionship {
            NO => write!(f, "NO"),
            HAS => write!(f, "HAS"),
            CONDITIONAL => write!(f, "CONDITIONAL({})", self.missing.join(",")),
            other => write!(f, "unknown number {other}"),
        }
    }
}

/// An expansion as text: subjects, and children of unions and intersections, sorted, each once.
pub fn tree_text(tree: &wire::PermissionRelationshipTree) -> String {
    use wire::permission_relationship_tree::TreeType;
    let object = tree.expanded_object.clone().unwrap_or_default();
    let head = format!("{}:{}#{}", object.object_type, object.object_id, tree.expanded_relation);
    match &tree.tree_type {
        None => format!("{head}?"),
        Some(TreeType::Leaf(leaf)) => {
            let mut subjects: Vec<String> = leaf.subjects.iter().map(subject_text).collect();
            subjects.sort();
            format!("{head}[{}]", subjects.join(" "))
        }
        Some(TreeType::Intermediate(set)) => {
            let mut children: Vec<String> = set.children.iter().map(tree_text).collect();
            let sign = match set.operation {
                1 => "+",
                2 => "&",
                _ => "-",
            };
            if sign != "-" {
                children.sort();
                // A peer lists an object once for each relationship that leads to it.
                children.dedup();
            }
            format!("{head}{sign}({})", children.join(" "))
        }
    }
}

fn subject_text(subject: &wire::SubjectReference) -> String {
    let object = subject.object.clone().unwrap_or_default();
    format!("{}:{}#{}", object.object_type, object.object_id, subject.optional_relation)
}

/// A relationship as text, with all that belongs to it.
pub fn relationship_text(relationship: &wire::Relationship) -> String {
    let resource = relationship.resource.clone().unwrap_or_default();
    let subject = relationship.subject.as_ref().map(subject_text).unwrap_or_default();
    let mut text =
        format!("{}:{}#{}@{subject}", resource.object_type, resource.object_id, relationship.relation);
    if let Some(caveat) = &relationship.optional_caveat {
        let context = caveat.context.clone().unwrap_or_default();
        text.push_str(&format!("[{}:{:?}]", caveat.caveat_name, context.fields));
    }
    if let Some(instant) = &relationship.optional_expires_at {
        text.push_str(&format!("[expiration:{}.{}]", instant.seconds, instant.nanos));
    }
    text
}
