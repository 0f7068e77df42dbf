//! The strongly connected components of a graph of numbers.

/// A graph whose vertices are `0..len`.
pub(crate) trait Vertices {
    /// How many vertices there are.
    fn len(&self) -> usize;
    /// The vertex that the `index`-th edge of a vertex leads to; `None` past the last edge.
    fn successor(&self, vertex: u32, index: u32) -> Option<u32>;
}

const UNSEEN: u32 = u32::MAX;

/// Whatever is reachable from the roots, grouped into components; a component comes after all that it leads to.
/// Iterative, so that a path of any length fits the stack; takes time and memory linear in the graph.
pub(crate) fn components(graph: &impl Vertices, roots: &[u32]) -> Components {
    let mut search = Search {
        graph,
        index: vec![UNSEEN; graph.len()],
        low: vec![0; graph.len()],
        open: vec![false; graph.len()],
        next: 0,
        stack: Vec::new(),
        found: Components { vertices: Vec::new(), ends: Vec::new() },
    };
    for root in roots {
        if get(&search.index, *root) == UNSEEN {
            search.run(*root);
        }
    }
    search.found
}

/// Components in order of dependency.
#[derive(Debug, Clone, Default)]
pub(crate) struct Components {
    vertices: Vec<u32>,
    ends: Vec<usize>,
}

impl Components {
    /// The components, each as its vertices.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.vertices.get(start..*end).unwrap_or(&[]))
    }
}

struct Search<'a, V> {
    graph: &'a V,
    index: Vec<u32>,
    low: Vec<u32>,
    open: Vec<bool>,
    next: u32,
    stack: Vec<u32>,
    found: Components,
}

fn get<T: Copy + Default>(values: &[T], at: u32) -> T {
    values.get(at as usize).copied().unwrap_or_default()
}

fn set<T>(values: &mut [T], at: u32, value: T) {
    if let Some(slot) = values.get_mut(at as usize) {
        *slot = value;
    }
}

impl<V: Vertices> Search<'_, V> {
    fn enter(&mut self, vertex: u32) {
        set(&mut self.index, vertex, self.next);
        set(&mut self.low, vertex, self.next);
        set(&mut self.open, vertex, true);
        self.next += 1;
        self.stack.push(vertex);
    }

    fn run(&mut self, root: u32) {
        let mut path: Vec<(u32, u32)> = vec![(root, 0)];
        self.enter(root);
        while let Some((vertex, edge)) = path.last_mut() {
            let (vertex, at) = (*vertex, *edge);
            *edge += 1;
            match self.graph.successor(vertex, at) {
                Some(next) if get(&self.index, next) == UNSEEN => {
                    self.enter(next);
                    path.push((next, 0));
                }
                Some(next) => {
                    if get(&self.open, next) {
                        let low = get(&self.low, vertex).min(get(&self.index, next));
                        set(&mut self.low, vertex, low);
                    }
                }
                None => {
                    path.pop();
                    let low = get(&self.low, vertex);
                    if let Some((parent, _)) = path.last() {
                        let lower = get(&self.low, *parent).min(low);
                        set(&mut self.low, *parent, lower);
                    }
                    if low == get(&self.index, vertex) {
                        self.close(vertex);
                    }
                }
            }
        }
    }

    fn close(&mut self, root: u32) {
        while let Some(vertex) = self.stack.pop() {
            set(&mut self.open, vertex, false);
            self.found.vertices.push(vertex);
            if vertex == root {
                break;
            }
        }
        self.found.ends.push(self.found.vertices.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Lists(Vec<Vec<u32>>);

    impl Vertices for Lists {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn successor(&self, vertex: u32, index: u32) -> Option<u32> {
            self.0[vertex as usize].get(index as usize).copied()
        }
    }

    fn sorted(graph: &Lists, roots: &[u32]) -> Vec<Vec<u32>> {
        let found = components(graph, roots);
        found
            .iter()
            .map(|component| {
                let mut component = component.to_vec();
                component.sort_unstable();
                component
            })
            .collect()
    }

    #[test]
    fn components_come_after_what_they_lead_to() {
        let graph = Lists(vec![vec![1, 4], vec![2], vec![3], vec![1], vec![3, 5], vec![], vec![0]]);
        assert_eq!(sorted(&graph, &[0]), vec![vec![1, 2, 3], vec![5], vec![4], vec![0]]);
        assert_eq!(sorted(&graph, &[5, 2, 5]), vec![vec![5], vec![1, 2, 3]]);
    }

    #[test]
    fn a_long_path_fits_the_stack() {
        let len = 300_000;
        let mut edges: Vec<Vec<u32>> = (1..len).map(|next| vec![next]).collect();
        edges.push(vec![len - 2]);
        let found = sorted(&Lists(edges), &[0]);
        assert_eq!(found.len(), len as usize - 1);
        assert_eq!(found[0], vec![len - 2, len - 1]);
    }
}
