//! Why solved nodes are conditional: the reasons of every branch that is conditional itself, carried up to the roots.

use std::sync::Arc;

use crate::components::{Vertices, components};
use crate::edges::Reading;
use crate::ground::Equations;
use crate::query::{Permissionship, QueryError};
use crate::reasons::Summary;

/// The part of a system that is conditional. A node outside it stands for a loop at whoever reads it.
struct Conditional<'a> {
    equations: &'a Equations<Permissionship>,
    values: &'a [Permissionship],
}

impl Conditional<'_> {
    fn has(&self, node: u32) -> bool {
        self.values.get(node as usize) == Some(&Permissionship::Conditional)
    }
}

impl Vertices for Conditional<'_> {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn successor(&self, vertex: u32, index: u32) -> Option<u32> {
        let next = self.equations.successor(vertex, index)?;
        Some(if self.has(next) { next } else { vertex })
    }
}

/// The reasons of each root, in their order; none for one that is not conditional. Takes time linear in the conditional
/// part, as what is found for a node is shared by all that read it.
pub(crate) fn reasons_of(
    equations: &Equations<Permissionship>,
    values: &[Permissionship],
    roots: &[u32],
    reading: &mut Reading<'_>,
) -> Result<Vec<Summary>, QueryError> {
    let graph = Conditional { equations, values };
    let conditional: Vec<u32> = roots.iter().copied().filter(|root| graph.has(*root)).collect();
    if conditional.is_empty() {
        return Ok(vec![Summary::default(); roots.len()]);
    }
    let mut found: Vec<Option<Arc<Summary>>> = vec![None; values.len()];
    for component in components(&graph, &conditional).iter() {
        // What the component reads, each once if they come one after the other, as they do along a chain.
        let mut read: Vec<Arc<Summary>> = Vec::new();
        let mut own = Vec::new();
        for node in component {
            reading.charge(1)?;
            own.extend_from_slice(equations.reasons(*node));
            for next in (0..).map_while(|index| graph.successor(*node, index)) {
                reading.charge(1)?;
                if let Some(summary) = found.get(next as usize).and_then(Option::as_ref)
                    && !read.iter().rev().take(4).any(|known| Arc::ptr_eq(known, summary))
                {
                    read.push(Arc::clone(summary));
                }
            }
        }
        let summary = match (own.is_empty(), read.as_slice()) {
            (true, [only]) => Arc::clone(only),
            _ => {
                let mut summary = Summary::of(own);
                read.iter().for_each(|other| summary.merge(other));
                Arc::new(summary)
            }
        };
        for node in component {
            if let Some(slot) = found.get_mut(*node as usize) {
                *slot = Some(Arc::clone(&summary));
            }
        }
    }
    let of = |root: &u32| found.get(*root as usize)?.as_deref().cloned();
    Ok(roots.iter().map(|root| of(root).unwrap_or_default()).collect())
}
