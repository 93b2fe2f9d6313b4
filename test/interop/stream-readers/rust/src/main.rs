//! Reads the Arrow IPC stream file that it is given and prints the rows and, for each column, the CRC-32 of its values as JSON.
use std::{env, error::Error, fs::File, io::BufReader};

use arrow_array::{Array, StringArray, cast::AsArray};
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use crc32fast::Hasher;

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: read-stream FILE")?;
    let reader = StreamReader::try_new(BufReader::new(File::open(path)?), None)?;
    let schema = reader.schema();
    let mut hashers = vec![Hasher::new(); schema.fields().len()];
    let mut rows = 0;
    for batch in reader {
        let batch = batch?;
        rows += batch.num_rows();
        for (column, hasher) in batch.columns().iter().zip(&mut hashers) {
            column.to_data().validate_full()?;
            add_column(column.as_ref(), hasher)?;
        }
    }
    let sums: Vec<String> = schema
        .fields()
        .iter()
        .zip(hashers)
        .map(|(field, hasher)| format!("{:?}:{}", field.name(), hasher.finalize()))
        .collect();
    println!("{{\"rows\":{rows},\"columns\":{{{}}}}}", sums.join(","));
    Ok(())
}

/// A null is a 0; a value is a 1, the length of a text as four bytes, and its bytes.
fn add_column(column: &dyn Array, hasher: &mut Hasher) -> Result<(), Box<dyn Error>> {
    if let Some(texts) = column.as_string_opt::<i32>() {
        add_texts(texts, hasher);
        return Ok(());
    }
    let data = column.to_data();
    let width = match column.data_type() {
        DataType::FixedSizeBinary(width) => *width as usize,
        other => other.primitive_width().ok_or(format!("{other} is not expected"))?,
    };
    let values = &data.buffers()[0].as_slice()[data.offset() * width..];
    for row in 0..column.len() {
        hasher.update(&[u8::from(column.is_valid(row))]);
        if column.is_valid(row) {
            hasher.update(&values[row * width..(row + 1) * width]);
        }
    }
    Ok(())
}

fn add_texts(texts: &StringArray, hasher: &mut Hasher) {
    for text in texts {
        hasher.update(&[u8::from(text.is_some())]);
        if let Some(text) = text {
            hasher.update(&(text.len() as u32).to_le_bytes());
            hasher.update(text.as_bytes());
        }
    }
}
