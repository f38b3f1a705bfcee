//! Opens a connection: looks the name up, and tries what it found.

use std::io;
use std::net::{SocketAddr, TcpStream as Plain};
use std::pin::pin;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};

use super::origin::{Host, Origin};

/// How long the first family of addresses has before the other one is tried beside it (RFC 8305 says
/// 250 ms; the systems' own resolvers wait longer).
const HEAD_START: Duration = Duration::from_millis(300);

/// A connection to `origin`.
pub(super) async fn open(origin: &Origin) -> io::Result<Plain> {
    let addresses: Vec<SocketAddr> = match &origin.host {
        Host::Address(address) => vec![SocketAddr::new(*address, origin.port)],
        Host::Name(name) => lookup_host((name.as_str(), origin.port)).await?.collect(),
    };
    let Some(&first) = addresses.first() else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    };
    let (preferred, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first.is_ipv6());
    let stream =
        if other.is_empty() { one_of(&preferred).await? } else { either(&preferred, &other).await? };
    stream.into_std()
}

async fn one_of(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    TcpStream::connect(addresses).await
}

/// A connection to an address of either family, the preferred one having a head start.
async fn either(preferred: &[SocketAddr], other: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut first = pin!(one_of(preferred));
    tokio::select! {
        connected = &mut first => match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => return one_of(other).await.map_err(|_| error),
        },
        () = tokio::time::sleep(HEAD_START) => {}
    }
    let mut second = pin!(one_of(other));
    tokio::select! {
        connected = &mut first => match connected {
            Ok(stream) => Ok(stream),
            Err(error) => second.await.map_err(|_| error),
        },
        connected = &mut second => match connected {
            Ok(stream) => Ok(stream),
            Err(_) => first.await,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[tokio::test]
    async fn where_one_family_refuses_the_other_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let four = listener.local_addr().unwrap();
        let six = SocketAddr::new("::1".parse().unwrap(), four.port());
        let stream = either(&[six], &[four]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), four);
        drop(listener);
        assert!(either(&[six], &[four]).await.is_err());
    }
}
