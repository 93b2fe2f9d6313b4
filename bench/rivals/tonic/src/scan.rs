//! One table: a Parquet file that is scanned for each request, or its batches in memory.
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::error::FlightError;
use futures::stream::{BoxStream, StreamExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::filter::Filter;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;
pub type Batches = BoxStream<'static, Result<RecordBatch, FlightError>>;

/// What a client asks for: the part of Headrace's scan request that benchmarks use.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Request {
    pub table: String,
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    #[serde(default)]
    pub filter: Option<serde_json::Value>,
    #[serde(default)]
    pub shards: Option<usize>,
    #[serde(default)]
    pub compression: Option<String>,
    /// Which shard a ticket reads; not part of a descriptor.
    #[serde(default)]
    pub shard: usize,
}

/// Rows of a decoded batch: about 1 MB of the benchmark table, and the best of 8,192, 16,384 and 65,536 here.
const BATCH_ROWS: usize = 8_192;
/// Batches that a row group's decoder may be ahead of the network.
const BATCHES_AHEAD: usize = 4;

pub struct Table {
    path: String,
    metadata: ArrowReaderMetadata,
    /// All rows, where the server serves from memory.
    batches: Option<Vec<RecordBatch>>,
}

impl Table {
    pub fn open(path: &str, in_memory: bool) -> Result<Table, Failure> {
        let file = File::open(path)?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
        let batches = if in_memory {
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone());
            Some(reader.with_batch_size(BATCH_ROWS).build()?.collect::<Result<_, _>>()?)
        } else {
            None
        };
        Ok(Table {
            path: path.to_owned(),
            metadata,
            batches,
        })
    }

    fn roots(&self, request: &Request) -> Result<Option<Vec<usize>>, Failure> {
        let Some(columns) = &request.columns else {
            return Ok(None);
        };
        Ok(Some(
            columns
                .iter()
                .map(|name| self.metadata.schema().index_of(name))
                .collect::<Result<_, _>>()?,
        ))
    }

    pub fn schema(&self, request: &Request) -> Result<SchemaRef, Failure> {
        let Some(roots) = self.roots(request)? else {
            return Ok(self.metadata.schema().clone());
        };
        let all = self.metadata.schema().fields();
        Ok(Arc::new(Schema::new(
            roots.iter().map(|&root| all[root].clone()).collect::<Vec<_>>(),
        )))
    }

    pub fn read(&self, request: &Request) -> Result<Batches, Failure> {
        match &self.batches {
            Some(batches) => self.from_memory(batches, request),
            None => self.from_file(request),
        }
    }

    fn from_memory(&self, batches: &[RecordBatch], request: &Request) -> Result<Batches, Failure> {
        if request.filter.is_some() {
            return Err("the server from memory takes no filters".into());
        }
        let roots = self.roots(request)?;
        let project = |batch: &RecordBatch| match &roots {
            Some(roots) => batch.project(roots).map_err(FlightError::from),
            None => Ok(batch.clone()),
        };
        let chosen: Vec<_> = share(batches, request).iter().map(project).collect();
        Ok(futures::stream::iter(chosen).boxed())
    }

    /// Decodes row groups on as many threads as there are cores, and gives their batches in order.
    fn from_file(&self, request: &Request) -> Result<Batches, Failure> {
        let filter: Option<Filter> = request.filter.clone().map(serde_json::from_value).transpose()?;
        let groups = match &filter {
            Some(filter) => filter.row_groups(&self.metadata)?,
            None => (0..self.metadata.metadata().num_row_groups()).collect(),
        };
        let roots = self.roots(request)?;
        let mut readers = Vec::new();
        for &group in share(&groups, request) {
            // Opened for each reader: clones of a file share its position, which readers in several threads would move for one another.
            let file = File::open(&self.path)?;
            let mut reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_batch_size(BATCH_ROWS)
                .with_row_groups(vec![group]);
            if let Some(roots) = &roots {
                reader = reader.with_projection(ProjectionMask::roots(self.metadata.parquet_schema(), roots.clone()));
            }
            if let Some(filter) = &filter {
                reader = reader.with_row_filter(filter.row_filter(self.metadata.schema(), &self.metadata)?);
            }
            readers.push(reader);
        }
        // The projection gives the columns in the file's order.
        let order = self.schema(request)?;
        let cores = std::thread::available_parallelism()?.get();
        let running = (readers.into_iter(), VecDeque::new());
        let batches = futures::stream::unfold(running, move |(mut waiting, mut running)| async move {
            while running.len() < cores
                && let Some(reader) = waiting.next()
            {
                running.push_back(decode(reader));
            }
            let next = running.pop_front()?;
            Some((next, (waiting, running)))
        })
        .flat_map(ReceiverStream::new);
        Ok(batches.map(move |batch| in_order(batch?, &order)).boxed())
    }
}

fn in_order(batch: RecordBatch, order: &SchemaRef) -> Result<RecordBatch, FlightError> {
    if batch.schema_ref().fields() == order.fields() {
        return Ok(batch);
    }
    let schema = batch.schema();
    let columns = order
        .fields()
        .iter()
        .map(|field| schema.index_of(field.name()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(batch.project(&columns)?)
}

/// A ticket's contiguous share of the row groups or batches.
fn share<'a, T>(all: &'a [T], request: &Request) -> &'a [T] {
    let shards = request.shards.unwrap_or(1).max(1);
    let start = all.len() * request.shard / shards;
    &all[start..all.len() * (request.shard + 1) / shards]
}

/// Decodes in a thread of its own, as far ahead as the channel takes, and ends early when nobody listens.
fn decode(reader: ParquetRecordBatchReaderBuilder<File>) -> mpsc::Receiver<Result<RecordBatch, FlightError>> {
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    tokio::task::spawn_blocking(move || {
        let batches = match reader.build() {
            Ok(batches) => batches,
            Err(error) => return drop(sender.blocking_send(Err(FlightError::ExternalError(Box::new(error))))),
        };
        for batch in batches {
            if sender.blocking_send(batch.map_err(FlightError::from)).is_err() {
                return;
            }
        }
    });
    receiver
}
