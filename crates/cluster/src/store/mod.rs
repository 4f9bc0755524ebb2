//! Files of one node: log, state, snapshots, and what never leaves it.
