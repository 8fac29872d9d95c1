//! The HTTP API and the commands of the binary `millwright`.
//!
//! This crate joins the others and adds no knowledge of its own: it opens the log, starts the projections, connectors and reactors
//! ([`engine`]), answers over HTTP ([`server`], [`routes`]), and turns errors into problems in one place ([`problem`]).
//!
//! Where to read next: [`engine::Engine`] is everything that runs; [`audit`] is `millwright verify`; [`routes::all`] is every address.

pub mod audit;
pub mod auth;
pub mod cli;
pub mod commands;
pub mod config;
pub mod datasets;
pub mod engine;
pub mod extract;
pub mod mcp;
pub mod metrics;
pub mod mlflow;
pub mod page;
mod pdf;
pub mod problem;
pub mod routes;
pub mod server;

#[cfg(test)]
mod docs_tests;
