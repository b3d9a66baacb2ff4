//! The paths of `json(…)`, made ready: a tree that is walked beside the value.

use std::collections::HashMap;
use std::sync::Arc;

use crate::column::Shape;
use crate::masking::maskers::{Maskers, Transform};
use crate::masking::rule::{Masker, Path, Rule, Segment};

/// What is done with the scalars that a path leads to, or that lie beneath.
pub(super) enum Leafs {
    /// They stay.
    Keep,
    /// Strings and numbers are replaced.
    Replace { text: Arc<dyn Transform>, number: Option<Arc<dyn Transform>> },
    /// A string is JSON itself; what is not one has rules of its own.
    Nested(Arc<dyn Transform>),
    /// Whatever is there, with all that it contains, becomes this JSON.
    Become(String),
}

/// A place in the value.
#[derive(Default)]
pub(super) struct Node {
    pub(super) members: HashMap<String, Node>,
    /// A member that is not among them.
    pub(super) other: Option<Box<Node>>,
    pub(super) items: Option<Box<Node>>,
    pub(super) keys: Option<Leafs>,
    pub(super) here: Option<Leafs>,
    /// What is beneath and has no rule.
    pub(super) rest: Option<Leafs>,
}

/// The same before anything is made ready, so that parts can be copied.
#[derive(Clone, Default)]
struct Draft<'a> {
    members: HashMap<&'a str, Draft<'a>>,
    other: Option<Box<Draft<'a>>>,
    items: Option<Box<Draft<'a>>>,
    keys: Option<&'a Rule>,
    here: Option<&'a Rule>,
    rest: Option<&'a Rule>,
}

impl Node {
    pub(super) fn new(maskers: &mut Maskers<'_>, paths: &[(Path, Rule)]) -> Self {
        let mut draft = Draft::default();
        draft.add_all(&[], paths);
        draft.spread();
        draft.ready(maskers)
    }

    /// Everything stays.
    pub(super) fn kept() -> Self {
        Self { here: Some(Leafs::Keep), rest: Some(Leafs::Keep), ..Self::default() }
    }
}

impl<'a> Draft<'a> {
    fn add_all(&mut self, front: &[&'a Segment], paths: &'a [(Path, Rule)]) {
        for (path, rule) in paths {
            let whole: Vec<&Segment> = front.iter().copied().chain(&path.0).collect();
            self.add(&whole, rule);
            // The members of a nested `json(…)` are members here, should the value be an object rather than a string.
            if let Rule::Mask(Masker::Json(nested)) = rule {
                self.add_all(&whole, nested);
            }
        }
    }

    fn add(&mut self, path: &[&'a Segment], rule: &'a Rule) {
        match path {
            [] => self.here = Some(rule),
            [Segment::Any] => self.rest = Some(rule),
            [Segment::Keys, ..] => self.keys = Some(rule),
            [Segment::Key(key), deeper @ ..] => self.members.entry(key).or_default().add(deeper, rule),
            [Segment::Any, deeper @ ..] => self.other.get_or_insert_default().add(deeper, rule),
            [Segment::Items, deeper @ ..] => self.items.get_or_insert_default().add(deeper, rule),
        }
    }

    /// What is said of any member holds for those with a name too, where nothing else is said of them.
    fn spread(&mut self) {
        if let Some(other) = &self.other {
            self.members.values_mut().for_each(|member| member.fill(other));
        }
        self.members.values_mut().for_each(Self::spread);
        self.other.iter_mut().chain(&mut self.items).for_each(|d| d.spread());
    }

    fn fill(&mut self, from: &Self) {
        self.keys = self.keys.or(from.keys);
        self.here = self.here.or(from.here);
        self.rest = self.rest.or(from.rest);
        for (key, member) in &from.members {
            self.members.entry(key).or_default().fill(member);
        }
        for (mine, theirs) in [(&mut self.other, &from.other), (&mut self.items, &from.items)] {
            if let Some(theirs) = theirs {
                mine.get_or_insert_default().fill(theirs);
            }
        }
    }

    fn ready(self, maskers: &mut Maskers<'_>) -> Node {
        let mut leafs = |rule: Option<&Rule>| rule.map(|rule| ready(maskers, rule));
        let (keys, here, rest) = (leafs(self.keys), leafs(self.here), leafs(self.rest));
        Node {
            keys,
            here,
            rest,
            members: self.members.into_iter().map(|(key, draft)| (key.to_owned(), draft.ready(maskers))).collect(),
            other: self.other.map(|draft| Box::new(draft.ready(maskers))),
            items: self.items.map(|draft| Box::new(draft.ready(maskers))),
        }
    }
}

fn ready(maskers: &mut Maskers<'_>, rule: &Rule) -> Leafs {
    let text = Shape::Text { longest: None };
    let numeric = Shape::Numeric { precision: None, scale: None };
    match rule {
        Rule::Keep => Leafs::Keep,
        Rule::Mask(Masker::Null) => Leafs::Become("null".to_owned()),
        Rule::Mask(Masker::Fixed(value)) => Leafs::Become(serde_json::Value::from(value.as_str()).to_string()),
        Rule::Mask(masker @ Masker::Json(_)) => Leafs::Nested(maskers.ready(masker, &text, false)),
        Rule::Mask(masker) => {
            let of_numbers = matches!(
                masker,
                Masker::Number { .. }
                    | Masker::Noise { .. }
                    | Masker::Coordinates
                    | Masker::Id
                    | Masker::Digits
                    | Masker::Phone
                    | Masker::Postcode
            );
            Leafs::Replace {
                text: maskers.ready(masker, &text, false),
                number: of_numbers.then(|| maskers.ready(masker, &numeric, false)),
            }
        }
    }
}
