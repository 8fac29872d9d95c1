use std::sync::Arc;

use super::MemoryLog;
use crate::{EventLog, conformance};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_engine_keeps_the_contract() {
    let report = conformance::run(|clock| async move { Arc::new(MemoryLog::with_clock(clock)) as Arc<dyn EventLog> })
        .await
        .unwrap();
    assert!(report.compared > 1_000, "{report:?}");
}
