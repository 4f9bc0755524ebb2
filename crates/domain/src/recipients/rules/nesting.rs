//! Groups within groups: no loops, no towers.

use std::collections::BTreeMap;

/// Groups a group may lie deep in.
pub(in crate::recipients) const NESTING_MAX: usize = 8;

/// What is wrong with groups that name these groups, in words that name the path.
pub(in crate::recipients) fn nesting_problem(
    named: &BTreeMap<String, Vec<String>>,
) -> Option<String> {
    let mut heights = BTreeMap::new();
    let mut path = Vec::new();
    named
        .keys()
        .find_map(|key| height(named, key, &mut path, &mut heights).err())
}

/// How many levels lie below a group. Each is looked at once, and no path is followed beyond what is allowed.
fn height<'a>(
    named: &'a BTreeMap<String, Vec<String>>,
    key: &'a str,
    path: &mut Vec<&'a str>,
    heights: &mut BTreeMap<&'a str, usize>,
) -> Result<usize, String> {
    if let Some(start) = path.iter().position(|on_path| *on_path == key) {
        let mut round = path[start..].to_vec();
        round.push(key);
        return Err(format!(
            "groups would contain each other: {}; take one of them out",
            round.join(" → ")
        ));
    }
    path.push(key);
    let mut below = 0;
    if let Some(known) = heights.get(key) {
        below = *known;
    } else if path.len() <= NESTING_MAX {
        for inner in named.get(key).into_iter().flatten() {
            below = below.max(1 + height(named, inner, path, heights)?);
        }
        heights.insert(key, below);
    }
    if path.len() + below > NESTING_MAX {
        return Err(format!(
            "groups would lie more than {NESTING_MAX} deep: {}; name their people directly",
            path.join(" → ")
        ));
    }
    path.pop();
    Ok(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(pairs: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        pairs
            .iter()
            .map(|(key, inner)| {
                let inner = inner.iter().map(|k| (*k).to_owned()).collect();
                ((*key).to_owned(), inner)
            })
            .collect()
    }

    #[test]
    fn a_loop_is_named_and_a_shared_group_is_none() {
        let shared = named(&[("a", &["b", "c"]), ("b", &["d"]), ("c", &["d"])]);
        assert_eq!(nesting_problem(&shared), None);
        let itself = named(&[("a", &["a"])]);
        assert!(nesting_problem(&itself).unwrap().contains("a → a"));
        let round = named(&[("a", &["b"]), ("b", &["c"]), ("c", &["d", "b"])]);
        assert!(nesting_problem(&round).unwrap().contains("b → c → b"));
    }

    #[test]
    fn a_tower_is_refused_from_wherever_it_is_looked_at() {
        let chain = |len: usize| {
            let pairs = (0..len).map(|n| (format!("g{n}"), vec![format!("g{}", n + 1)]));
            pairs.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(nesting_problem(&chain(NESTING_MAX - 1)), None);
        assert!(
            nesting_problem(&chain(NESTING_MAX))
                .unwrap()
                .contains("deep")
        );
        assert!(nesting_problem(&chain(10_000)).unwrap().contains("deep"));
    }

    #[test]
    fn many_ways_to_the_same_group_cost_no_more_than_one() {
        // Without memory of what was seen, 60 groups in each of 7 levels make 60^7 paths.
        let mut pairs = BTreeMap::new();
        for level in 0..6 {
            let inner: Vec<String> = (0..60).map(|n| format!("{}-{n}", level + 1)).collect();
            for n in 0..60 {
                pairs.insert(format!("{level}-{n}"), inner.clone());
            }
        }
        assert_eq!(nesting_problem(&pairs), None);
    }
}
