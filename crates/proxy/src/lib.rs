//! Traffic: routing table, host and path routing, static sites, figures.
