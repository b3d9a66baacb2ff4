//! The order in which tables are gone through.

use crate::catalog::Catalog;

/// Groups of tables that point to one another in circles (mostly of one table), parents before children: Tarjan's strongly
/// connected components, which come out in this order by themselves when edges go from child to parent. Without recursion: a chain of
/// tables may be long.
pub(crate) fn parents_first(catalog: &Catalog) -> Vec<Vec<usize>> {
    let count = catalog.tables.len();
    let mut to: Vec<Vec<usize>> = vec![Vec::new(); count];
    for key in &catalog.foreign_keys {
        to[key.child].push(key.parent);
    }
    components(&to)
}

fn components(to: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let count = to.len();
    let (mut index, mut low) = (vec![usize::MAX; count], vec![0; count]);
    let (mut on_stack, mut stack, mut groups, mut next) = (vec![false; count], Vec::new(), Vec::new(), 0);
    for start in 0..count {
        if index[start] != usize::MAX {
            continue;
        }
        let mut walk = vec![(start, 0)];
        while let Some((node, edge)) = walk.pop() {
            if edge == 0 {
                index[node] = next;
                low[node] = next;
                next += 1;
                stack.push(node);
                on_stack[node] = true;
            }
            if let Some(&target) = to[node].get(edge) {
                walk.push((node, edge + 1));
                if index[target] == usize::MAX {
                    walk.push((target, 0));
                } else if on_stack[target] {
                    low[node] = low[node].min(index[target]);
                }
                continue;
            }
            if let Some((parent, _)) = walk.last() {
                low[*parent] = low[*parent].min(low[node]);
            }
            if low[node] == index[node] {
                let mut group = Vec::new();
                while let Some(member) = stack.pop() {
                    on_stack[member] = false;
                    group.push(member);
                    if member == node {
                        break;
                    }
                }
                group.sort_unstable();
                groups.push(group);
            }
        }
    }
    groups
}

/// How many tables point to each, directly or through others: the one with most is whom rows belong to.
pub(crate) fn weights(catalog: &Catalog) -> Vec<usize> {
    let count = catalog.tables.len();
    (0..count)
        .map(|root| {
            let (mut seen, mut open) = (vec![false; count], vec![root]);
            seen[root] = true;
            while let Some(node) = open.pop() {
                for key in catalog.foreign_keys.iter().filter(|k| k.parent == node) {
                    if !std::mem::replace(&mut seen[key.child], true) {
                        open.push(key.child);
                    }
                }
            }
            seen.iter().filter(|s| **s).count() - 1
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_circles_together() {
        // 0 → 1 → 2 → 1, 2 → 3, 4 alone, 5 → 5.
        let to = vec![vec![1], vec![2], vec![1, 3], vec![], vec![], vec![5]];
        assert_eq!(components(&to), [vec![3], vec![1, 2], vec![0], vec![4], vec![5]]);
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_is_no_trouble() {
        let to: Vec<Vec<usize>> = (0..100_000).map(|n| if n + 1 < 100_000 { vec![n + 1] } else { vec![] }).collect();
        assert_eq!(components(&to).len(), 100_000);
    }
}
