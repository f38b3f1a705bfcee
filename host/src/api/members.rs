//! The members of a body in the making. There are few of them and each request makes them anew, so they
//! are a list that is looked through, which costs less than a map that hashes.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// Named values, each name once, in the order in which the names came.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, Value)>);

impl<'a> Members<'a> {
    /// The members of `object`, with room for `more`.
    pub(super) fn of(object: &'a Map<String, Value>, more: usize) -> Members<'a> {
        let mut members = Vec::with_capacity(object.len() + more);
        members.extend(object.iter().map(|(name, value)| (Cow::from(name), value.clone())));
        Members(members)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.0.iter_mut().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The member, which is `value` if there was none.
    pub(super) fn get_or_put(&mut self, name: &'a str, value: impl FnOnce() -> Value) -> &mut Value {
        let at = self.0.iter().position(|(own, _)| own == name).unwrap_or_else(|| {
            self.0.push((name.into(), value()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    /// The member becomes `value`, in its old place if it has one.
    pub(super) fn put(&mut self, name: impl Into<Cow<'a, str>>, value: Value) {
        let name = name.into();
        match self.get_mut(&name) {
            Some(old) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Takes the member out; those after it keep their order.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.remove(at).1)
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Members<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of a map: what a file says may have any number of members.
        let object = Map::deserialize(deserializer)?;
        Ok(Members(object.into_iter().map(|(name, value)| (name.into(), value)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_keeps_its_place_until_it_is_taken() {
        let object = json!({ "a": 1, "b": 2, "c": 3 });
        let mut members = Members::of(object.as_object().unwrap(), 2);
        members.put("b", json!("two"));
        members.put("d", json!(4));
        assert_eq!(members.take("a"), Some(json!(1)));
        assert_eq!(members.take("a"), None);
        *members.get_or_put("c", || json!("old")) = json!("three");
        assert_eq!(members.get_or_put("a", || json!("new")), "new");
        assert!(members.contains("d") && !members.contains("e"));
        let text = serde_json::to_string(&members).unwrap();
        assert_eq!(text, r#"{"b":"two","c":"three","d":4,"a":"new"}"#);
    }

    proptest! {
        /// A list reads, changes and writes what a map does, names that come twice included.
        #[test]
        fn as_a_map_would(
            read in prop::collection::vec(("[a-d]{1,2}", any::<i32>()), 0..12),
            put in prop::collection::vec(("[a-d]{1,2}", any::<i32>()), 0..12),
            taken in "[a-d]{1,2}",
        ) {
            let object: Vec<String> = read.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
            let text = format!("{{{}}}", object.join(", "));
            let mut map: Map<String, Value> = serde_json::from_str(&text).unwrap();
            let mut list: Members<'_> = serde_json::from_str(&text).unwrap();
            for (name, value) in put {
                map.insert(name.clone(), value.into());
                list.put(name, value.into());
            }
            prop_assert_eq!(list.take(&taken), map.shift_remove(&taken));
            prop_assert_eq!(serde_json::to_string(&list).unwrap(), serde_json::to_string(&map).unwrap());
        }
    }
}
