//! Decisions about units without SQL.

use std::collections::BTreeMap;

use crate::texts;

/// Units there can be.
pub(super) const UNITS_MAX: usize = 500;

/// Units on the way from one to the whole organisation, itself counted.
pub(super) const DEPTH_MAX: usize = 6;

/// People placed at once.
pub(super) const PLACED_MAX: usize = 5_000;

const NAME_LEN_MAX: usize = 100;

/// The name as it is kept, if key and name are as they may be.
pub(super) fn check(key: &str, name: &str) -> Result<String, String> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(2..=40).contains(&key.len()) || !key.chars().all(known) {
        return Err("a unit's key has 2 to 40 small letters, digits and hyphens".to_owned());
    }
    let name = texts::clean(name);
    match name.is_empty() || name.chars().count() > NAME_LEN_MAX {
        true => Err(format!("a unit's name has 1 to {NAME_LEN_MAX} characters")),
        false => Ok(name),
    }
}

/// Whether `key` can be part of `above`, as units lie in each other: each key with that of the one above.
pub(super) fn check_above(
    units: &BTreeMap<&str, Option<&str>>,
    key: &str,
    above: &str,
) -> Result<(), String> {
    let mut depth = 1 + height(units, key);
    let mut at = Some(above);
    while let Some(unit) = at {
        if unit == key {
            return Err(format!("{above} is {key} or part of it"));
        }
        depth += 1;
        if depth > DEPTH_MAX {
            return Err(format!("units lie at most {DEPTH_MAX} deep in each other"));
        }
        at = *units
            .get(unit)
            .ok_or_else(|| format!("there is no unit {unit}; add it first"))?;
    }
    Ok(())
}

/// Units below one another under `key`.
fn height(units: &BTreeMap<&str, Option<&str>>, key: &str) -> usize {
    let below = units.iter().filter(|(_, above)| **above == Some(key));
    below
        .map(|(unit, _)| 1 + height(units, unit))
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_unit_is_part_of_itself_and_none_lies_too_deep() {
        let units = BTreeMap::from([
            ("north", None),
            ("plant", Some("north")),
            ("hall", Some("plant")),
            ("south", None),
        ]);
        assert_eq!(check_above(&units, "south", "hall"), Ok(()));
        assert_eq!(check_above(&units, "new", "hall"), Ok(()));
        for (key, above) in [
            ("north", "hall"),
            ("north", "north"),
            ("hall", "hall"),
            ("south", "nowhere"),
        ] {
            assert!(check_above(&units, key, above).is_err(), "{key} in {above}");
        }
        let chain = ["a0", "a1", "a2", "a3", "a4", "a5"];
        let mut deep: BTreeMap<&str, Option<&str>> = BTreeMap::from([("a0", None), ("b0", None)]);
        deep.extend(chain.windows(2).map(|pair| (pair[1], Some(pair[0]))));
        assert!(check_above(&deep, "b0", "a5").is_err());
        assert_eq!(check_above(&deep, "b0", "a4"), Ok(()));
        assert!(check_above(&deep, "a0", "b0").is_err(), "six below it");
    }

    #[test]
    fn keys_and_names_are_plain() {
        assert_eq!(check("plant-a", " Plant A "), Ok("Plant A".to_owned()));
        for (key, name) in [
            ("Plant", "Plant"),
            ("p", "Plant"),
            ("plant", " "),
            ("plant:a", "x"),
        ] {
            assert!(check(key, name).is_err(), "{key} {name}");
        }
    }
}
