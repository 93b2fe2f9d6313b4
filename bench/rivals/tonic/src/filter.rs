//! Filters in Iceberg's expression JSON: as row filters of the reader, and as pruning of row groups by statistics.
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Datum, Float64Array, Int64Array, RecordBatch, Scalar};
use arrow::compute::kernels::cmp::{eq, gt, gt_eq, lt, lt_eq, neq};
use arrow::compute::{and_kleene, cast, or_kleene};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ArrowReaderMetadata, RowFilter};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Filter {
    And { left: Box<Filter>, right: Box<Filter> },
    Or { left: Box<Filter>, right: Box<Filter> },
    Lt(Comparison),
    LtEq(Comparison),
    Gt(Comparison),
    GtEq(Comparison),
    Eq(Comparison),
    NotEq(Comparison),
}

#[derive(Clone, Debug, Deserialize)]
pub struct Comparison {
    term: String,
    value: serde_json::Number,
}

type Compare = fn(&dyn Datum, &dyn Datum) -> Result<BooleanArray, ArrowError>;

impl Comparison {
    fn literal(&self, kind: &DataType) -> Result<Scalar<ArrayRef>, ArrowError> {
        let array: ArrayRef = match self.value.as_i64() {
            Some(whole) => Arc::new(Int64Array::from(vec![whole])),
            None => Arc::new(Float64Array::from(vec![self.value.as_f64()])),
        };
        Ok(Scalar::new(cast(&array, kind)?))
    }

    fn rows(&self, batch: &RecordBatch, compare: Compare) -> Result<BooleanArray, ArrowError> {
        let index = batch.schema().index_of(&self.term)?;
        let column = batch.column(index);
        compare(column, &self.literal(column.data_type())?)
    }

    /// Whether the smallest or largest value of each row group satisfies the comparison; null where it is not known.
    fn bound(&self, file: &ArrowReaderMetadata, largest: bool, compare: Compare) -> Result<BooleanArray, ArrowError> {
        let column = StatisticsConverter::try_new(&self.term, file.schema(), file.parquet_schema())?;
        let groups = file.metadata().row_groups().iter();
        let bounds = if largest {
            column.row_group_maxes(groups)?
        } else {
            column.row_group_mins(groups)?
        };
        compare(&bounds, &self.literal(bounds.data_type())?)
    }
}

impl Filter {
    fn columns(&self, into: &mut Vec<String>) {
        match self {
            Filter::And { left, right } | Filter::Or { left, right } => {
                left.columns(into);
                right.columns(into);
            }
            Filter::Lt(c) | Filter::LtEq(c) | Filter::Gt(c) | Filter::GtEq(c) | Filter::Eq(c) | Filter::NotEq(c) => {
                into.push(c.term.clone());
            }
        }
    }

    fn rows(&self, batch: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        match self {
            Filter::And { left, right } => and_kleene(&left.rows(batch)?, &right.rows(batch)?),
            Filter::Or { left, right } => or_kleene(&left.rows(batch)?, &right.rows(batch)?),
            Filter::Lt(c) => c.rows(batch, lt),
            Filter::LtEq(c) => c.rows(batch, lt_eq),
            Filter::Gt(c) => c.rows(batch, gt),
            Filter::GtEq(c) => c.rows(batch, gt_eq),
            Filter::Eq(c) => c.rows(batch, eq),
            Filter::NotEq(c) => c.rows(batch, neq),
        }
    }

    /// For each row group whether it may hold a row that passes; null = not known.
    fn may_pass(&self, file: &ArrowReaderMetadata) -> Result<BooleanArray, ArrowError> {
        match self {
            Filter::And { left, right } => and_kleene(&left.may_pass(file)?, &right.may_pass(file)?),
            Filter::Or { left, right } => or_kleene(&left.may_pass(file)?, &right.may_pass(file)?),
            Filter::Lt(c) => c.bound(file, false, lt),
            Filter::LtEq(c) => c.bound(file, false, lt_eq),
            Filter::Gt(c) => c.bound(file, true, gt),
            Filter::GtEq(c) => c.bound(file, true, gt_eq),
            Filter::Eq(c) => and_kleene(&c.bound(file, false, lt_eq)?, &c.bound(file, true, gt_eq)?),
            Filter::NotEq(_) => Ok(BooleanArray::new_null(file.metadata().num_row_groups())),
        }
    }

    /// The row groups that statistics do not rule out.
    pub fn row_groups(&self, file: &ArrowReaderMetadata) -> Result<Vec<usize>, ArrowError> {
        let passing = self.may_pass(file)?;
        Ok((0..passing.len())
            .filter(|&at| passing.is_null(at) || passing.value(at))
            .collect())
    }

    /// Reads the filter's columns first and the others only where a row passes.
    pub fn row_filter(&self, schema: &SchemaRef, file: &ArrowReaderMetadata) -> Result<RowFilter, ArrowError> {
        let mut names = Vec::new();
        self.columns(&mut names);
        let roots = names
            .iter()
            .map(|name| schema.index_of(name))
            .collect::<Result<Vec<_>, _>>()?;
        let mask = ProjectionMask::roots(file.parquet_schema(), roots);
        let filter = self.clone();
        Ok(RowFilter::new(vec![Box::new(ArrowPredicateFn::new(
            mask,
            move |batch| filter.rows(&batch),
        ))]))
    }
}
