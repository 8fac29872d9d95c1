//! The language of searches: conditions joined by AND, and orders.
