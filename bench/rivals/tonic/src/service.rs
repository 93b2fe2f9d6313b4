//! The part of the Flight service that a scan needs.
use std::collections::HashMap;
use std::sync::Arc;

use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::IpcWriteOptions;
use futures::stream::{BoxStream, StreamExt};
use tonic::{Request as Call, Response, Status, Streaming};

use crate::scan::{Failure, Request, Table};

pub struct Service {
    pub tables: Arc<HashMap<String, Table>>,
}

type Answer<T> = Result<Response<T>, Status>;
type Stream<T> = BoxStream<'static, Result<T, Status>>;

fn refused(error: impl Into<Failure>) -> Status {
    Status::invalid_argument(error.into().to_string())
}

impl Service {
    fn table(&self, request: &Request) -> Result<&Table, Status> {
        self.tables
            .get(&request.table)
            .ok_or_else(|| Status::not_found(request.table.clone()))
    }
}

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = Stream<HandshakeResponse>;
    type ListFlightsStream = Stream<FlightInfo>;
    type DoGetStream = Stream<FlightData>;
    type DoPutStream = Stream<PutResult>;
    type DoActionStream = Stream<ActionResult>;
    type ListActionsStream = Stream<ActionType>;
    type DoExchangeStream = Stream<FlightData>;

    async fn get_flight_info(&self, call: Call<FlightDescriptor>) -> Answer<FlightInfo> {
        let descriptor = call.into_inner();
        let mut request: Request = serde_json::from_slice(&descriptor.cmd).map_err(refused)?;
        let schema = self.table(&request)?.schema(&request).map_err(refused)?;
        let mut info = FlightInfo::new()
            .try_with_schema(&schema)
            .map_err(refused)?
            .with_descriptor(descriptor);
        for shard in 0..request.shards.unwrap_or(1) {
            request.shard = shard;
            let ticket = Ticket::new(serde_json::to_vec(&request).map_err(refused)?);
            info = info.with_endpoint(FlightEndpoint::new().with_ticket(ticket));
        }
        Ok(Response::new(info))
    }

    async fn do_get(&self, call: Call<Ticket>) -> Answer<Self::DoGetStream> {
        let request: Request = serde_json::from_slice(&call.into_inner().ticket).map_err(refused)?;
        let table = self.table(&request)?;
        let compression = match request.compression.as_deref() {
            Some("zstd") => Some(CompressionType::ZSTD),
            _ => None,
        };
        let options = IpcWriteOptions::default()
            .try_with_compression(compression)
            .map_err(refused)?;
        let encoder = FlightDataEncoderBuilder::new()
            .with_schema(table.schema(&request).map_err(refused)?)
            .with_options(options)
            .build(table.read(&request).map_err(refused)?);
        Ok(Response::new(encoder.map(|data| data.map_err(Status::from)).boxed()))
    }

    async fn handshake(&self, _: Call<Streaming<HandshakeRequest>>) -> Answer<Self::HandshakeStream> {
        Err(Status::unimplemented("Handshake"))
    }

    async fn list_flights(&self, _: Call<Criteria>) -> Answer<Self::ListFlightsStream> {
        Err(Status::unimplemented("ListFlights"))
    }

    async fn poll_flight_info(&self, _: Call<FlightDescriptor>) -> Answer<PollInfo> {
        Err(Status::unimplemented("PollFlightInfo"))
    }

    async fn get_schema(&self, _: Call<FlightDescriptor>) -> Answer<SchemaResult> {
        Err(Status::unimplemented("GetSchema"))
    }

    async fn do_put(&self, _: Call<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        Err(Status::unimplemented("DoPut"))
    }

    async fn do_exchange(&self, _: Call<Streaming<FlightData>>) -> Answer<Self::DoExchangeStream> {
        Err(Status::unimplemented("DoExchange"))
    }

    async fn do_action(&self, _: Call<Action>) -> Answer<Self::DoActionStream> {
        Err(Status::unimplemented("DoAction"))
    }

    async fn list_actions(&self, _: Call<Empty>) -> Answer<Self::ListActionsStream> {
        Err(Status::unimplemented("ListActions"))
    }
}
