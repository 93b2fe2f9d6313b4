package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

type filesInput struct {
	Paths []string `json:"paths"`
}

// files reads Parquet files with arrow-go's own reader; the server has no part in it.
func files(ctx context.Context, _ *connection, input filesInput) ([]json.RawMessage, error) {
	var rows []json.RawMessage
	for _, path := range input.Paths {
		found, err := rowsOfFile(ctx, path)
		if err != nil {
			return nil, err
		}
		rows = append(rows, found...)
	}
	return rows, nil
}

func rowsOfFile(ctx context.Context, path string) ([]json.RawMessage, error) {
	opened, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	reader, err := file.NewParquetReader(opened)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	columns, err := pqarrow.NewFileReader(reader, pqarrow.ArrowReadProperties{BatchSize: 1024}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	batches, err := columns.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	defer batches.Release()
	var rows []json.RawMessage
	for batches.Next() {
		some, err := rowsOf(batches.RecordBatch())
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, batches.Err()
}
