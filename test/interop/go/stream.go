package main

import (
	"encoding/json"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
)

// column is a field of a schema as arrow-go prints it.
type column struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable"`
	FieldID  string `json:"fieldId"`
}

func columnsOf(schema *arrow.Schema) []column {
	columns := []column{}
	for _, field := range schema.Fields() {
		id, _ := field.Metadata.GetValue("PARQUET:field_id")
		columns = append(columns, column{field.Name, field.Type.String(), field.Nullable, id})
	}
	return columns
}

// progress is the app_metadata of a batch.
type progress struct {
	Next   int64  `json:"next"`
	Cursor string `json:"cursor"`
}

// stream is what came of a DoGet or a DoExchange, up to its end or its refusal.
type stream struct {
	Columns   []column          `json:"columns"`
	Rows      []json.RawMessage `json:"rows"`
	BatchRows []int64           `json:"batchRows"`
	Progress  []progress        `json:"progress"`
	BodyBytes int               `json:"bodyBytes"`
	Refused   *refusal          `json:"refused,omitempty"`
}

// counted adds up the sizes of message bodies as they came over the wire.
type counted struct {
	flight.DataStreamReader
	bodyBytes int
}

func (c *counted) Recv() (*flight.FlightData, error) {
	data, err := c.DataStreamReader.Recv()
	if err == nil {
		c.bodyBytes += len(data.DataBody)
	}
	return data, err
}

// drain reads a stream to its end. A refusal on the way is part of what it gives.
func drain(from flight.DataStreamReader) (*stream, error) {
	source := &counted{DataStreamReader: from}
	seen := &stream{Columns: []column{}, Rows: []json.RawMessage{}, BatchRows: []int64{}, Progress: []progress{}}
	reader, err := flight.NewRecordReader(source)
	if seen.Refused = refusalOf(err); seen.Refused != nil {
		return seen, nil
	}
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	seen.Columns = columnsOf(reader.Schema())
	for reader.Next() {
		batch := reader.RecordBatch()
		rows, err := rowsOf(batch)
		if err != nil {
			return nil, err
		}
		at, err := progressOf(reader.LatestAppMetadata())
		if err != nil {
			return nil, err
		}
		seen.Rows = append(seen.Rows, rows...)
		seen.BatchRows = append(seen.BatchRows, batch.NumRows())
		seen.Progress = append(seen.Progress, at)
	}
	seen.BodyBytes = source.bodyBytes
	seen.Refused = refusalOf(reader.Err())
	if seen.Refused == nil && reader.Err() != nil {
		return nil, reader.Err()
	}
	return seen, nil
}

func rowsOf(batch arrow.RecordBatch) ([]json.RawMessage, error) {
	text, err := batch.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var rows []json.RawMessage
	return rows, json.Unmarshal(text, &rows)
}

func progressOf(appMetadata []byte) (progress, error) {
	var at progress
	if err := json.Unmarshal(appMetadata, &at); err != nil {
		return at, fmt.Errorf("a batch's app_metadata %q: %w", appMetadata, err)
	}
	return at, nil
}
