//! Both ways of carrying a request, against a server that answers with whatever bytes a test likes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::*;
use crate::contract::Ending;

/// Answers the first request of each connection with `reply`, byte for byte, and then hangs up after
/// `linger`. It returns its URL.
fn serve(reply: &'static [u8], linger: Duration) -> String {
    serve_then(reply, move |_| std::thread::sleep(linger))
}

/// The same, and does `then` with the connection before it hangs up.
fn serve_then(reply: &'static [u8], then: impl Fn(TcpStream) + Copy + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                if hear(&mut stream) {
                    let _ = stream.write_all(reply);
                    then(stream);
                }
            });
        }
    });
    url
}

/// Reads a request; false if there was none.
fn hear(stream: &mut TcpStream) -> bool {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    while !heard.ends_with(b"{}") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(bytes) => heard.extend_from_slice(&buffer[..bytes]),
        }
    }
    true
}

fn request(url: &str) -> HttpRequest {
    HttpRequest {
        method: "POST".into(),
        url: url.into(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: "{}".into(),
        framing: Framing::Sse,
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn nobody() -> AbortSignal {
    tokio::sync::watch::channel(false).1
}

/// What a user is told of an exchange, without the reason in the library's or the system's words.
fn told(timeline: Timeline) -> (Option<u16>, String, Framing, Option<FailureKind>) {
    let kind = match timeline.ending {
        Ending::Complete => None,
        Ending::Failed(failure) => Some(failure.kind),
    };
    let marks = timeline.marks.into_vec();
    assert_eq!(marks.last().map_or(0, |mark| mark.end), timeline.body.len());
    assert!(marks.is_sorted_by_key(|mark| (mark.at, mark.end)));
    assert!(timeline.sent <= Some(timeline.completed));
    // Whoever refuses a request here asks for the same wait, and whoever does not is not listened to.
    let refused = timeline.status.is_some_and(|status| status >= 400);
    assert_eq!(timeline.retry_after, refused.then_some(Duration::from_secs(7)));
    (timeline.status, String::from_utf8(timeline.body.into_vec()).unwrap(), timeline.framing, kind)
}

#[test]
fn both_ways_tell_the_same_of_every_reply() {
    let replies: [&[u8]; 12] = [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9\r\n\r\ndata: a\n\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n1;x\r\n:\r\n0\r\nt: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nretry-after: 7\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nbusy",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 204 Nothing\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nda",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nda",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nda",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ];
    for reply in replies {
        let url = serve(reply, Duration::ZERO);
        let spec = HttpSpec { tls: false, ..HttpSpec::default() };
        let (direct, library) =
            (Direct::new(&spec, Clock::start()).unwrap(), Library::new(&spec, Clock::start()).unwrap());
        let request = request(&url);
        let by_direct = told(run(direct.run(&request, nobody())));
        let by_library = told(run(library.run(&request, nobody())));
        assert_eq!(by_direct, by_library, "{}", String::from_utf8_lossy(reply));
    }
}

#[test]
fn a_connection_is_kept_and_one_that_the_server_gave_up_is_not_used() {
    let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
    let url = serve(reply, Duration::from_millis(20));
    let transport =
        HttpTransport::new(&HttpSpec { tls: false, ..HttpSpec::default() }, Clock::start()).unwrap();
    run(async {
        let request = request(&url);
        let first = transport.exchange(&request, nobody()).await;
        assert_eq!((first.connection_reused, first.stale_connections), (Some(false), 0));
        tokio::time::sleep(Duration::from_millis(100)).await;
        // The server has hung up, which is seen before anything is sent.
        let second = transport.exchange(&request, nobody()).await;
        assert_eq!((second.connection_reused, second.stale_connections), (Some(false), 0));
        // This one finds the connection open. It hears nothing on it but the server hanging up, and
        // goes out again on a new one.
        let third = transport.exchange(&request, nobody()).await;
        assert_eq!((third.connection_reused, third.stale_connections), (Some(false), 1));
        assert_eq!(third.ending, Ending::Complete);
    });
}

#[test]
fn a_server_that_hangs_up_on_a_second_request_gets_it_on_a_new_connection() {
    // It reads the request first, so that the connection ends and is not reset.
    let url = serve_then(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx", |mut stream| {
        hear(&mut stream);
    });
    let transport =
        HttpTransport::new(&HttpSpec { tls: false, ..HttpSpec::default() }, Clock::start()).unwrap();
    run(async {
        let request = request(&url);
        transport.exchange(&request, nobody()).await;
        let second = transport.exchange(&request, nobody()).await;
        assert_eq!((second.stale_connections, second.ending), (1, Ending::Complete));
    });
}

#[test]
fn a_connection_that_brought_more_than_a_reply_is_not_used_again() {
    let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n";
    let url = serve(reply, Duration::from_secs(5));
    let transport =
        HttpTransport::new(&HttpSpec { tls: false, ..HttpSpec::default() }, Clock::start()).unwrap();
    run(async {
        let request = request(&url);
        transport.exchange(&request, nobody()).await;
        let second = tokio::time::timeout(Duration::from_secs(3), transport.exchange(&request, nobody()))
            .await
            .unwrap();
        assert_eq!((second.connection_reused, second.ending), (Some(false), Ending::Complete));
    });
}

#[test]
fn the_kernel_stamps_before_the_read_returns() {
    let url = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ndata: a\n\n", Duration::ZERO);
    let spec = HttpSpec { tls: false, clock: ReadClock::Kernel, ..HttpSpec::default() };
    let transport = HttpTransport::new(&spec, Clock::start()).unwrap();
    // The kernel begins to stamp a while after the first socket has asked for it.
    let timeline = run(async {
        let mut tries = 0;
        loop {
            let timeline = transport.exchange(&request(&url), nobody()).await;
            assert_eq!(timeline.ending, Ending::Complete);
            tries += 1;
            if tries == 100 || !timeline.stamp_lags_ns.is_empty() {
                return timeline;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert_eq!(timeline.stamp_lags_ns.len(), timeline.marks.len());
    assert!(timeline.stamp_lags_ns[0] > 0 && timeline.sent < Some(timeline.marks.into_vec()[0].at));
}

#[test]
fn limits_end_an_exchange() {
    let url = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ndat", Duration::from_secs(5));
    let soon = Some(Duration::from_millis(30));
    let kind = |spec: HttpSpec| {
        let spec = HttpSpec { tls: false, ..spec };
        told(run(HttpTransport::new(&spec, Clock::start()).unwrap().exchange(&request(&url), nobody()))).3
    };
    assert_eq!(kind(HttpSpec { read_timeout: soon, ..HttpSpec::default() }), Some(FailureKind::ReadTimeout));
    assert_eq!(
        kind(HttpSpec { total_timeout: soon, ..HttpSpec::default() }),
        Some(FailureKind::TotalTimeout)
    );
    assert_eq!(kind(HttpSpec { max_reply_bytes: 2, ..HttpSpec::default() }), Some(FailureKind::TooLarge));
}

/// A request that is written in several pieces.
fn long_request(url: &str, bytes: usize) -> HttpRequest {
    HttpRequest { body: vec![b'x'; bytes].into(), ..request(url) }
}

const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Client and server take turns on one thread, so that the server sees each piece as it comes.
#[test]
fn of_long_requests_one_is_written_to_its_end_before_the_next_is_begun() {
    const BYTES: usize = 50_000;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let request = long_request(&format!("http://{}/v1", listener.local_addr().unwrap()), BYTES);
    let transport =
        HttpTransport::new(&HttpSpec { tls: false, ..HttpSpec::default() }, Clock::start()).unwrap();
    run(async {
        let server = async {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let streams = [listener.accept().await.unwrap().0, listener.accept().await.unwrap().0];
            let (mut heard, mut pieces) = ([0; 2], 0);
            while heard.iter().any(|&heard| heard < BYTES) {
                for (stream, heard) in streams.iter().zip(&mut heard) {
                    let read = stream.try_read(&mut [0; 2 * BYTES]).unwrap_or(0);
                    *heard += read;
                    pieces += usize::from(read > 0);
                }
                assert!(heard.iter().any(|&heard| heard == 0 || heard > BYTES), "{heard:?}");
                tokio::task::yield_now().await;
            }
            assert!(pieces > 2, "the others have had no turns");
            for stream in streams {
                stream.writable().await.unwrap();
                stream.try_write(EMPTY).unwrap();
            }
        };
        let (first, second) =
            (transport.exchange(&request, nobody()), transport.exchange(&request, nobody()));
        let (first, second, ()) = tokio::join!(first, second, server);
        assert_eq!((first.ending, second.ending), (Ending::Complete, Ending::Complete));
    });
}

#[test]
fn a_server_that_does_not_read_a_long_request_does_not_hold_up_the_next() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = serve(EMPTY, Duration::ZERO);
    let transport =
        HttpTransport::new(&HttpSpec { tls: false, ..HttpSpec::default() }, Clock::start()).unwrap();
    let long = long_request(&format!("http://{}/v1", deaf.local_addr().unwrap()), 64 << 20);
    let next = HttpRequest { body: [vec![b' '; 50_000], b"{}".to_vec()].concat().into(), ..request(&url) };
    run(async {
        tokio::select! {
            biased;
            _ = transport.exchange(&long, nobody()) => panic!("nobody has read it"),
            next = transport.exchange(&next, nobody()) => assert_eq!(next.ending, Ending::Complete),
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("the next has not been sent"),
        }
    });
}
