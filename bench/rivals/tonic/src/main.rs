//! The rival `tonic`: a Flight server of tonic, arrow-flight and parquet, for tables that lie in one Parquet file each.
//! usage: headrace-rival-tonic [--memory] [--tls CERT.pem KEY.pem] NAME=FILE.parquet…
//! Prints {"ready":true,"flight":PORT} and serves until its standard input ends.
//!
//! It takes the same JSON requests as Headrace: `table`, `columns`, `filter` in Iceberg's expression JSON, `shards`, `compression`.
mod filter;
mod scan;
mod service;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_flight::flight_service_server::FlightServiceServer;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use crate::scan::{Failure, Table};
use crate::service::Service;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut in_memory = false;
    let mut identity = None;
    let mut tables = HashMap::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--memory" => in_memory = true,
            "--tls" => {
                let mut file =
                    || std::fs::read(arguments.next().ok_or("--tls takes CERT.pem KEY.pem")?).map_err(Failure::from);
                identity = Some(Identity::from_pem(file()?, file()?));
            }
            pair => {
                let (name, file) = pair.split_once('=').ok_or("tables are given as NAME=FILE.parquet")?;
                tables.insert(name.to_owned(), Table::open(file, in_memory)?);
            }
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let mut server = Server::builder();
    if let Some(identity) = identity {
        server = server.tls_config(ServerTlsConfig::new().identity(identity))?;
    }
    let service = FlightServiceServer::new(Service {
        tables: Arc::new(tables),
    });
    let connections = TcpListenerStream::new(listener).map(|connection| connection.and_then(without_delay));
    println!("{{\"ready\":true,\"flight\":{port}}}");
    let input_ended = async {
        let mut byte = [0];
        while matches!(tokio::io::stdin().read(&mut byte).await, Ok(1)) {}
    };
    Ok(server
        .add_service(service)
        .serve_with_incoming_shutdown(connections, input_ended)
        .await?)
}

fn without_delay(connection: tokio::net::TcpStream) -> std::io::Result<tokio::net::TcpStream> {
    connection.set_nodelay(true)?;
    Ok(connection)
}
