//! From a tree to a release: git, detection, build, release store.
