//! What a name means, told in Markdown.

use std::collections::BTreeSet;

use pemba_model::{SmolStr, Span};

use super::index::{self, MemberRef};
use super::{Document, Target};
use crate::syntax::{
    AllowedNode, Block, CaveatNode, ExpressionKind, ExpressionNode, Item, Member, ShapeNode,
};

/// Most meanings of one name that are told.
const TARGETS_SHOWN_MAX: usize = 8;
/// Most members of a definition that are shown.
const MEMBERS_SHOWN_MAX: usize = 40;
/// Longest line that is shown, in characters.
const LINE_MAX_CHARS: usize = 400;
/// Most levels of permissions that an expansion writes out.
const EXPANSION_DEPTH_MAX: usize = 8;
/// Longest expansion, in bytes.
const EXPANSION_MAX_BYTES: usize = 600;

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hover {
    /// The name.
    pub span: Span,
    /// The meaning, in Markdown.
    pub markdown: String,
}

impl Document {
    /// What the name at a place means; nothing when there is none.
    pub fn hover(&self, offset: usize) -> Option<Hover> {
        let occurrence = self.occurrence(offset)?;
        let shown = occurrence.targets.iter().take(TARGETS_SHOWN_MAX);
        let mut parts: Vec<String> = shown.filter_map(|target| self.describe(target)).collect();
        let left_out = occurrence.targets.len().saturating_sub(TARGETS_SHOWN_MAX);
        if left_out > 0 {
            parts.push(format!("and {left_out} more"));
        }
        Some(Hover { span: occurrence.span, markdown: parts.join("\n\n---\n\n") })
    }

    /// What a target is, in Markdown.
    pub(super) fn describe(&self, target: &Target) -> Option<String> {
        match target {
            Target::Type(name) => {
                let block = self.block_named(name)?;
                Some(self.block_text("definition", block))
            }
            Target::Partial(name) => Some(self.block_text("partial", self.block_named(name)?)),
            Target::Caveat(name) => self.caveat_named(name).map(|caveat| self.caveat_text(caveat)),
            Target::Member { owner, name } => self.member_text(owner, name),
            Target::Parameter { caveat, name } => {
                let node = self.caveat_named(caveat)?;
                let parameter = node.parameters.iter().find(|parameter| parameter.name.text == *name)?;
                let of_type =
                    parameter.parameter_type.as_ref().map(|of| format!(" {of}")).unwrap_or_default();
                Some(format!("{}\n\nparameter of the caveat `{caveat}`", code(&format!("{name}{of_type}"))))
            }
        }
    }

    pub(super) fn block_named(&self, name: &str) -> Option<&Block> {
        self.tree.items.iter().find_map(|item| match item {
            Item::Definition(block) | Item::Partial(block) if block.name.text == name => Some(block),
            _ => None,
        })
    }

    pub(super) fn caveat_named(&self, name: &str) -> Option<&CaveatNode> {
        self.tree.items.iter().find_map(|item| match item {
            Item::Caveat(caveat) if caveat.name.text == name => Some(caveat),
            _ => None,
        })
    }

    fn block_text(&self, keyword: &str, block: &Block) -> String {
        let mut lines = vec![format!("{keyword} {} {{", block.name.text)];
        for member in block.members.iter().take(MEMBERS_SHOWN_MAX) {
            let line = match member {
                Member::Relation(found) => self.member_line(MemberRef::Relation(found)),
                Member::Permission(found) => self.member_line(MemberRef::Permission(found)),
                Member::Mix(name) => format!("...{}", name.text),
            };
            lines.push(format!("\t{line}"));
        }
        let left_out = block.members.len().saturating_sub(MEMBERS_SHOWN_MAX);
        if left_out > 0 {
            lines.push(format!("\t// and {left_out} more"));
        }
        lines.push("}".to_owned());
        with_doc(code(&lines.join("\n")), block.doc.as_deref())
    }

    fn caveat_text(&self, caveat: &CaveatNode) -> String {
        let parameters = caveat.parameters.iter().map(|parameter| match &parameter.parameter_type {
            Some(of_type) => format!("{} {of_type}", parameter.name.text),
            None => parameter.name.text.to_string(),
        });
        let parameters = parameters.collect::<Vec<_>>().join(", ");
        let body = one_line(caveat.body.map_or("", |body| body.text(self.text())));
        let text = format!("caveat {}({parameters}) {{\n\t{body}\n}}", caveat.name.text);
        with_doc(code(&text), caveat.doc.as_deref())
    }

    fn member_text(&self, owner: &SmolStr, name: &SmolStr) -> Option<String> {
        let block = self.block_named(owner)?;
        let member = index::declared(block, name)?;
        let (kind, doc) = match member {
            MemberRef::Relation(found) => ("relation", found.doc.as_deref()),
            MemberRef::Permission(found) => ("permission", found.doc.as_deref()),
        };
        let mut text = code(&self.member_line(member));
        text.push_str(&format!("\n\n{kind} of `{owner}`"));
        if let MemberRef::Permission(found) = member
            && let Some(expression) = &found.expression
        {
            let mut expansion = String::new();
            let mut open = BTreeSet::from([name]);
            self.expand(&mut expansion, block, expression, false, &mut open);
            let plain = one_line(expression.span.text(self.text()));
            if expansion != plain && expansion.len() <= EXPANSION_MAX_BYTES {
                text.push_str(&format!(", written out:\n\n{}", code(&expansion)));
            }
        }
        Some(with_doc(text, doc))
    }

    /// A relation or permission as one line.
    pub(super) fn member_line(&self, member: MemberRef<'_>) -> String {
        let line = match member {
            MemberRef::Relation(found) => {
                let allowed: Vec<String> = found.allowed.iter().map(allowed_text).collect();
                format!("relation {}: {}", found.name.text, allowed.join(" | "))
            }
            MemberRef::Permission(found) => {
                let types: Vec<&str> = found.types.iter().map(|name| name.text.as_str()).collect();
                let types = if types.is_empty() { String::new() } else { format!(": {}", types.join(" | ")) };
                let expression = found.expression.as_ref();
                let expression = expression.map_or("", |found| found.span.text(self.text()));
                format!("permission {}{types} = {}", found.name.text, one_line(expression))
            }
        };
        cut(&line)
    }

    /// Writes an expression with the permissions of the same block written out in their places.
    fn expand<'t>(
        &'t self,
        out: &mut String,
        block: &'t Block,
        expression: &'t ExpressionNode,
        below: bool,
        open: &mut BTreeSet<&'t SmolStr>,
    ) {
        if out.len() > EXPANSION_MAX_BYTES {
            return;
        }
        let (operands, sign): (Vec<&ExpressionNode>, &str) = match &expression.kind {
            ExpressionKind::Nil => return out.push_str("nil"),
            ExpressionKind::SelfObject => return out.push_str("self"),
            ExpressionKind::Arrow { relation, target, all } => {
                let text = match all {
                    true => format!("{}.all({})", relation.text, target.text),
                    false => format!("{}->{}", relation.text, target.text),
                };
                return out.push_str(&text);
            }
            ExpressionKind::Reference(name) => {
                let inner = match index::declared(block, &name.text) {
                    Some(MemberRef::Permission(found)) => found.expression.as_ref(),
                    _ => None,
                };
                match inner.filter(|_| open.len() <= EXPANSION_DEPTH_MAX && !open.contains(&name.text)) {
                    Some(inner) => {
                        open.insert(&name.text);
                        self.expand(out, block, inner, below, open);
                        open.remove(&name.text);
                    }
                    None => out.push_str(&name.text),
                }
                return;
            }
            ExpressionKind::Union(operands) => (operands.iter().collect(), " + "),
            ExpressionKind::Intersection(operands) => (operands.iter().collect(), " & "),
            ExpressionKind::Exclusion(left, right) => (vec![left, right], " - "),
        };
        out.push_str(if below { "(" } else { "" });
        for (place, operand) in operands.into_iter().enumerate() {
            out.push_str(if place > 0 { sign } else { "" });
            self.expand(out, block, operand, true, open);
        }
        out.push_str(if below { ")" } else { "" });
    }
}

fn allowed_text(allowed: &AllowedNode) -> String {
    let mut text = allowed.subject_type.text.to_string();
    match &allowed.shape {
        ShapeNode::Direct => {}
        ShapeNode::Userset(relation) => text.push_str(&format!("#{}", relation.text)),
        ShapeNode::Wildcard => text.push_str(":*"),
    }
    let caveat = allowed.caveat.as_ref().map(|caveat| caveat.text.as_str());
    let traits: Vec<&str> = caveat.into_iter().chain(allowed.expiration.map(|_| "expiration")).collect();
    if !traits.is_empty() {
        text.push_str(&format!(" with {}", traits.join(" and ")));
    }
    text
}

fn code(text: &str) -> String {
    format!("```spicedb\n{text}\n```")
}

fn with_doc(text: String, doc: Option<&str>) -> String {
    match doc.map(plain_doc).filter(|doc| !doc.is_empty()) {
        Some(doc) => format!("{text}\n\n{doc}"),
        None => text,
    }
}

/// A comment without its marks.
pub(super) fn plain_doc(doc: &str) -> String {
    let lines = doc.lines().map(|line| {
        let line = line.trim();
        let line = line.strip_suffix("*/").unwrap_or(line);
        let line = line.strip_prefix("//").or(line.strip_prefix("/*")).unwrap_or(line);
        line.trim_start_matches('*').trim()
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn one_line(text: &str) -> String {
    cut(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn cut(line: &str) -> String {
    let mut shown: String = line.chars().take(LINE_MAX_CHARS).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    shown
}
