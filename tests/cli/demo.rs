//! `segue demo`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::segue;

/// A demo that is killed if the test fails.
struct Demo {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Demo {
    fn start() -> Self {
        let mut command = segue(&["demo", "--listen", "127.0.0.1:0"]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The first line from here on that holds `part`.
    fn line(&mut self, part: &str) -> String {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        lines.find(|line| line.contains(part)).unwrap()
    }

    /// Sends a signal and gives the exit code.
    fn end(mut self, signal: &str) -> Option<i32> {
        let kill = format!("kill -{signal} {}", self.process.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        self.process.wait().unwrap().code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What curl would send and print.
fn ask(address: &str, model: &str) -> String {
    let body = format!(
        r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"Hello"}}]}}"#
    );
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\
         Connection: close\r\ncontent-type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_tour_ends_by_itself_with_exit_code_0() {
    let output = segue(&["demo", "--tour"]).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{page}");
    assert!(page.contains("13 of 13 steps as promised"), "{page}");
    assert!(
        !page.contains('\u{1b}'),
        "colours go to terminals only: {page}"
    );
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(log, "", "nothing disturbs the tour");
}

#[test]
fn after_the_tour_it_answers_until_it_is_told_to_end() {
    let demos = ["TERM", "INT"].map(|signal| (signal, Demo::start()));
    for (signal, mut demo) in demos {
        let told = demo.line("curl -iN");
        let address = told.split('/').nth(2).unwrap().to_owned();
        demo.line("metrics");
        let answer = ask(&address, "stream");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("data: [DONE]"), "{answer}");
        let rescued = ask(&address, "cut");
        let told = ["x-segue-target: steady/", "data: [DONE]"];
        assert!(told.iter().all(|part| rescued.contains(part)), "{rescued}");
        let all = "HTTP/1.1 429 Too Many Requests\r\n";
        assert!(ask(&address, "busy").starts_with(all));
        assert_eq!(demo.end(signal), Some(0), "{signal}");
    }
}
