package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// putInput asks for a stream of `rows` rows of the sample table, the first of which has the id `first`.
type putInput struct {
	Request     json.RawMessage `json:"request"`
	First       int64           `json:"first"`
	Rows        int64           `json:"rows"`
	BatchRows   int64           `json:"batchRows"`
	NoteChars   int             `json:"noteChars"`
	Dictionary  bool            `json:"dictionary"`
	Compression string          `json:"compression"`
	// Whether the rows are to be shown: not for large tables.
	Show bool `json:"show"`
}

type putSeen struct {
	Results []json.RawMessage `json:"results"`
	Rows    []json.RawMessage `json:"rows"`
}

func put(ctx context.Context, to *connection, input putInput) (*putSeen, error) {
	sink, err := to.DoPut(ctx)
	if err != nil {
		return nil, err
	}
	schema := sampleSchema(input.Dictionary)
	options := []ipc.Option{ipc.WithSchema(schema)}
	switch input.Compression {
	case "zstd":
		options = append(options, ipc.WithZstd())
	case "lz4":
		options = append(options, ipc.WithLZ4())
	}
	writer := flight.NewRecordWriter(sink, options...)
	writer.SetFlightDescriptor(&flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: input.Request})
	seen := &putSeen{Results: []json.RawMessage{}, Rows: []json.RawMessage{}}
	for first := input.First; first < input.First+input.Rows; first += input.BatchRows {
		batch := sample(schema, first, min(first+input.BatchRows, input.First+input.Rows), input.NoteChars)
		if input.Show {
			rows, err := rowsOf(batch)
			if err != nil {
				return nil, err
			}
			seen.Rows = append(seen.Rows, rows...)
		}
		// The answer tells why a write was refused; the write itself only that the stream is over.
		if err := writer.Write(batch); err != nil {
			break
		}
		batch.Release()
	}
	writer.Close()
	if err := sink.CloseSend(); err != nil {
		return nil, err
	}
	for {
		result, err := sink.Recv()
		if errors.Is(err, io.EOF) {
			return seen, nil
		}
		if err != nil {
			return nil, err
		}
		seen.Results = append(seen.Results, result.AppMetadata)
	}
}

func sampleSchema(dictionary bool) *arrow.Schema {
	var word arrow.DataType = arrow.BinaryTypes.String
	if dictionary {
		word = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: word}
	}
	return arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "word", Type: word, Nullable: true},
		{Name: "fare", Type: &arrow.Decimal128Type{Precision: 9, Scale: 2}, Nullable: true},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
		{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
		{Name: "place", Nullable: true, Type: arrow.StructOf(
			arrow.Field{Name: "city", Type: arrow.BinaryTypes.String, Nullable: true},
			arrow.Field{Name: "zip", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		)},
		{Name: "score", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
}

var words = []string{"amber", "brook", "cedar", "delta", "ember"}

// sample makes the rows with the ids [start, end): each value follows from the id.
func sample(schema *arrow.Schema, start, end int64, noteChars int) arrow.RecordBatch {
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	for id := start; id < end; id++ {
		builder.Field(0).(*array.Int64Builder).Append(id)
		appendWord(builder.Field(1), id)
		builder.Field(2).(*array.Decimal128Builder).Append(decimal128.FromI64(id * 25))
		at := time.Date(2001, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(id) * time.Minute)
		builder.Field(3).(*array.TimestampBuilder).Append(arrow.Timestamp(at.UnixMicro()))
		builder.Field(4).(*array.Date32Builder).Append(arrow.Date32FromTime(at))
		appendTags(builder.Field(5).(*array.ListBuilder), id)
		appendPlace(builder.Field(6).(*array.StructBuilder), id)
		builder.Field(7).(*array.Float64Builder).Append(float64(id) / 8)
		note := fmt.Sprintf("%010d", uint32(id)*2654435761)
		builder.Field(8).(*array.StringBuilder).Append(strings.Repeat(note, noteChars/len(note)))
	}
	return builder.NewRecordBatch()
}

// appendWord leaves every seventh word out.
func appendWord(builder array.Builder, id int64) {
	word := words[id%int64(len(words))]
	switch column := builder.(type) {
	case *array.StringBuilder:
		if id%7 == 6 {
			column.AppendNull()
		} else {
			column.Append(word)
		}
	case *array.BinaryDictionaryBuilder:
		if id%7 == 6 {
			column.AppendNull()
		} else if err := column.AppendString(word); err != nil {
			panic(err)
		}
	}
}

func appendTags(builder *array.ListBuilder, id int64) {
	if id%4 == 3 {
		builder.AppendNull()
		return
	}
	builder.Append(true)
	for tag := range id % 4 {
		builder.ValueBuilder().(*array.StringBuilder).Append(words[tag])
	}
}

func appendPlace(builder *array.StructBuilder, id int64) {
	if id%5 == 4 {
		builder.AppendNull()
		return
	}
	builder.Append(true)
	builder.FieldBuilder(0).(*array.StringBuilder).Append("city " + words[id%3])
	builder.FieldBuilder(1).(*array.Int32Builder).Append(int32(10_000 + id))
}
