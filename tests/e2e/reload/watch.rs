//! `reload: { watch: … }`: a change of the files is reason enough.

use std::fs;

use super::sim;
use crate::edge_stage::{Authority, Process, leaf, metric, page, shows};

#[tokio::test(flavor = "multi_thread")]
async fn changed_files_are_read_again_and_a_half_renewed_pair_is_not_the_end() {
    let (sim, authority) = (sim().await, Authority::new());
    let folder = tempfile::tempdir().unwrap();
    authority.write(folder.path(), "a", &["localhost"]);
    authority.write(folder.path(), "b", &["localhost"]);
    let config = Process::config(sim.address(), "reload: { watch: 1s }").replace(
        "listen: [{ address: \"127.0.0.1:0\" }]",
        "listen: [{ address: \"127.0.0.1:0\", tls: { certificate: a.pem, key: a.key } }]",
    );
    let process = Process::spawn(folder, &config, &[]);
    let (admin, address) = (process.admin().await, process.address().await);
    let caller = authority.caller();
    let before = leaf(&caller.call(address, "localhost").await.unwrap());

    // The new certificate is there, its key not yet: that is refused, and looked at further.
    fs::rename(process.path("b.pem"), process.path("a.pem")).unwrap();
    process.said("a.pem has changed: reloading").await;
    process.said("the old one stays").await;
    let now = leaf(&caller.call(address, "localhost").await.unwrap());
    assert_eq!(now, before);
    fs::rename(process.path("b.key"), process.path("a.key")).unwrap();
    process.said("a.key has changed: reloading").await;
    shows(admin, "segue_config_generation", 2.0).await;
    let now = leaf(&caller.call(address, "localhost").await.unwrap());
    assert_ne!(now, before);

    process.write(&config.replace("watch: 1s", "watch: off"));
    shows(admin, "segue_config_generation", 3.0).await;
    process.write(&config);
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    let metrics = page(admin, "/metrics").await;
    let generation = metric(metrics.text(), "segue_config_generation");
    assert_eq!(generation, Some(3.0), "nobody looks any more");
}
