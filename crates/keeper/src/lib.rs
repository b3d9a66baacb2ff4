//! One process held: started, logged, restarted, limited.
