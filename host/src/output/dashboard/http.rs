//! One connection: a request that is read, and one answer.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::live::Picture;
use super::prometheus::metrics;
use super::{Pages, Shared};

const PAGE: &str = include_str!("page.html");

/// The most bytes of a request's head.
const MOST_HEAD: usize = 16 << 10;
/// How long a browser may take to send its request, or to take what it is sent.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a page gets a new picture.
const EVERY: Duration = Duration::from_secs(1);

/// Answers the request on `stream`.
pub(super) fn serve(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let Some((method, path)) = read_head(&mut stream)? else {
        return answer(&mut stream, "400 Bad Request", "text/plain", "this is no HTTP request\n");
    };
    let all = shared.pages == Pages::All;
    match path.as_str() {
        _ if method != "GET" => answer(&mut stream, "405 Method Not Allowed", "text/plain", "only GET\n"),
        "/metrics" => {
            answer(&mut stream, "200 OK", "text/plain; version=0.0.4; charset=utf-8", &metrics(&shared.board))
        }
        "/" if all => answer(&mut stream, "200 OK", "text/html; charset=utf-8", PAGE),
        "/picture.json" if all => answer(&mut stream, "200 OK", "application/json", &picture(shared)),
        "/events" if all => events(shared, &mut stream),
        _ => answer(&mut stream, "404 Not Found", "text/plain", "there is no such page\n"),
    }
}

/// The method and the path of a request; `None` if it is none.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<(String, String)>> {
    let mut head = Vec::new();
    let mut piece = [0; 2048];
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&head) {
            Ok(httparse::Status::Complete(_)) => {
                let path = request.path.unwrap_or("/").split(['?', '#']).next().unwrap_or("/");
                return Ok(Some((request.method.unwrap_or("").to_string(), path.to_string())));
            }
            Ok(httparse::Status::Partial) if head.len() < MOST_HEAD => {}
            _ => return Ok(None),
        }
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            read => head.extend_from_slice(&piece[..read]),
        }
    }
}

/// What every answer says: nothing from elsewhere is loaded, and nothing is kept.
const HEADERS: &str = "cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\
                       content-security-policy: default-src 'none'; style-src 'unsafe-inline'; \
                       script-src 'unsafe-inline'; connect-src 'self'; img-src data:\r\n";

fn answer(stream: &mut TcpStream, status: &str, kind: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{HEADERS}\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

fn picture(shared: &Shared) -> String {
    serde_json::to_string(&Picture::of(&shared.board)).unwrap_or_default()
}

/// Sends a picture every second until the run is over, and then the last one.
fn events(shared: &Shared, stream: &mut TcpStream) -> io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{HEADERS}\r\n");
    stream.write_all(head.as_bytes())?;
    loop {
        let over = shared.over.load(Ordering::Acquire);
        let name = if over { "event: end\n" } else { "" };
        stream.write_all(format!("{name}data: {}\n\n", picture(shared)).as_bytes())?;
        if over {
            return Ok(());
        }
        let next = Instant::now() + EVERY;
        while Instant::now() < next && !shared.over.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
