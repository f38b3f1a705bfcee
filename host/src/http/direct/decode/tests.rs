use super::*;
use proptest::prelude::*;

/// The status, the body, whether it is complete and whether the connection is kept, of bytes that
/// come in `pieces` and then end.
fn read(pieces: &[&[u8]]) -> Result<(u16, String, bool, bool), Malformed> {
    let mut decoder = Decoder::new(false);
    let mut body = Blocks::new();
    for piece in pieces {
        decoder.push(piece, &mut body)?;
    }
    let status = decoder.head().map_or(0, |head| head.status);
    let body = String::from_utf8_lossy(&body.into_vec()).into_owned();
    Ok((status, body, decoder.ends_at_close(), decoder.keeps_alive()))
}

fn good(status: u16, body: &str, complete: bool, kept: bool) -> Result<(u16, String, bool, bool), Malformed> {
    Ok((status, body.to_string(), complete, kept))
}

#[test]
fn a_length_ends_a_body_and_the_rest_is_not_taken() {
    let mut decoder = Decoder::new(false);
    let mut body = Blocks::new();
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd";
    assert_eq!(decoder.push(bytes, &mut body), Ok(bytes.len() - 1));
    assert_eq!((body.into_vec().as_slice(), decoder.keeps_alive()), (&b"abc"[..], true));
    assert_eq!(read(&[b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab"]), good(200, "ab", false, false));
    assert_eq!(read(&[b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"]), good(500, "", true, true));
}

#[test]
fn chunks_are_put_together_and_extensions_and_trailers_are_dropped() {
    let head: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n";
    let whole: &[u8] = b"3;a=\"b\"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nx-trailer: 1\r\n\r\n";
    assert_eq!(read(&[head, whole]), good(200, "abc0123456789", true, true));
    assert_eq!(read(&[head, b"3\r\nab"]), good(200, "ab", false, false));
    assert_eq!(read(&[head, b"3\nabc\n0\n\n"]), good(200, "abc", true, true));
}

#[test]
fn interim_heads_are_passed_over() {
    let bytes: &[u8] =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
    assert_eq!(read(&[bytes]), good(200, "x", true, true));
    assert_eq!(read(&[&bytes[..10], &bytes[10..]]), good(200, "x", true, true));
}

/// Found by the fuzz target `http_reply`.
#[test]
fn a_fault_in_a_line_is_seen_when_the_line_is_whole_however_it_comes() {
    let bytes: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length\0\0: 3\r\n\r\n";
    let (cut, begun) = (bytes.len() - 5, good(0, "", false, false));
    assert_eq!(read(&[&bytes[..cut]]), begun);
    assert_eq!(read(&[&bytes[..20], &bytes[20..cut]]), begun);
    assert_eq!(read(&[bytes]).unwrap_err().0, "invalid header name");
    assert_eq!(read(&[&bytes[..20], &bytes[20..cut], &bytes[cut..]]), read(&[bytes]));
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    assert_eq!(read(&[b"HTTP/1.0 200 OK\r\n\r\nab", b"c"]), good(200, "abc", true, false));
    assert_eq!(read(&[b"HTTP/1.1 204 No\r\n\r\n"]), good(204, "", true, true));
}

#[test]
fn the_connection_is_kept_as_the_server_says() {
    let with = |version: &str, connection: &str| {
        let head = format!("HTTP/{version} 200 OK\r\ncontent-length: 0\r\nconnection: {connection}\r\n\r\n");
        read(&[head.as_bytes()]).unwrap().3
    };
    assert_eq!([with("1.1", "x, Close"), with("1.1", "x"), with("1.0", "Keep-Alive")], [false, true, true]);
}

#[test]
fn what_is_no_reply_is_refused_with_the_reason() {
    let reason = |bytes: &[u8]| read(&[bytes]).unwrap_err().0;
    assert_eq!(reason(b"SSH-2.0-OpenSSH\r\n"), "invalid HTTP version");
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunked = |coding: &str| reason(format!("{head}{coding}").as_bytes());
    assert_eq!(chunked("xyz\r\n"), "the length of a chunk is not a hexadecimal number");
    assert_eq!(chunked("\r\n"), "the length of a chunk is not a hexadecimal number");
    assert_eq!(chunked("1\r\nab"), "a chunk is longer than it says");
    assert_eq!(chunked("11111111111111111\r\n"), "the length of a chunk is too large");
    assert_eq!(chunked(&format!("1;{}", "a".repeat(20_000))), "a line of its chunked coding is too long");
    assert_eq!(reason(b"HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\n"), "it has two lengths");
    assert_eq!(
        reason(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
        "its Content-Length is not a number"
    );
    let long = [b"HTTP/1.1 200 OK\r\na: ".to_vec(), vec![b'a'; 300 << 10]].concat();
    assert_eq!(reason(&long), "its head is larger than 256 KiB");
}

proptest! {
    /// However a network cuts a reply, the same comes out of it.
    #[test]
    fn cuts_change_nothing(
        chunks in proptest::collection::vec("[a-z\r\n]{1,40}", 0..6),
        chunked in any::<bool>(),
        cuts in proptest::collection::vec(0_usize..400, 0..12),
    ) {
        let body = chunks.concat();
        let bytes = if chunked {
            let coded: String = chunks.iter().map(|c| format!("{:x}\r\n{c}\r\n", c.len())).collect();
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{coded}0\r\n\r\n")
        } else {
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        };
        let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let mut start = 0;
        let pieces: Vec<&[u8]> = ends
            .iter()
            .map(|&end| {
                let piece = &bytes.as_bytes()[start..end];
                start = end;
                piece
            })
            .collect();
        prop_assert_eq!(read(&pieces), good(200, &body, true, true));
    }

    /// No bytes can make it panic, or take more than there are.
    #[test]
    fn any_bytes_are_read(
        head in prop_oneof![
            Just(&b""[..]),
            Just(&b"HTTP/1.1 200 OK\r\n"[..]),
            Just(&b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"[..]),
        ],
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
    ) {
        let mut decoder = Decoder::new(false);
        let mut body = Blocks::new();
        for piece in std::iter::once(head).chain(pieces.iter().map(Vec::as_slice)) {
            match decoder.push(piece, &mut body) {
                Ok(taken) => prop_assert!(taken <= piece.len() && (taken == piece.len() || decoder.is_done())),
                Err(Malformed(reason)) => {
                    prop_assert!(!reason.is_empty());
                    break;
                }
            }
        }
    }
}
