//! The plain good day.

use segue::sim::answer_text;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_comes_through_unchanged() {
    let world = World::new("").await;
    world.script("tokens=12");
    let answer = world.client().await.chat("").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-segue-target"), Some("sim/m"));
    assert_eq!(
        answer.json()["choices"][0]["message"]["content"],
        answer_text(12)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_comes_through_with_its_end_mark() {
    let world = World::new("").await;
    world.script("tokens=12");
    let answer = world.client().await.chat("\"stream\":true,").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.content(), answer_text(12));
    assert_eq!(answer.events().last().unwrap(), "[DONE]");
    assert!(answer.complete);
}
