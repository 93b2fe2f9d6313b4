// Command readstream reads the Arrow IPC stream file that it is given and prints the rows and, for each column, the CRC-32 of its
// values as JSON.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

type seen struct {
	Rows    int64             `json:"rows"`
	Columns map[string]uint32 `json:"columns"`
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	reader, err := ipc.NewReader(file)
	if err != nil {
		return err
	}
	defer reader.Release()
	result := seen{Columns: map[string]uint32{}}
	for reader.Next() {
		batch := reader.RecordBatch()
		result.Rows += batch.NumRows()
		for at, column := range batch.Columns() {
			name := batch.ColumnName(at)
			sum, err := addColumn(result.Columns[name], column)
			if err != nil {
				return err
			}
			result.Columns[name] = sum
		}
	}
	if err := reader.Err(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// addColumn takes a null as a 0; a value as a 1, the length of a text as four bytes, and its bytes.
func addColumn(sum uint32, column arrow.Array) (uint32, error) {
	add := func(bytes []byte) { sum = crc32.Update(sum, crc32.IEEETable, bytes) }
	texts, isText := column.(*array.String)
	width := 0
	if !isText {
		fixed, isFixed := column.DataType().(arrow.FixedWidthDataType)
		if !isFixed {
			return 0, fmt.Errorf("%s is not expected", column.DataType())
		}
		width = fixed.Bytes()
	}
	for row := range column.Len() {
		if column.IsNull(row) {
			add([]byte{0})
			continue
		}
		add([]byte{1})
		if isText {
			text := texts.Value(row)
			add(binary.LittleEndian.AppendUint32(nil, uint32(len(text))))
			add([]byte(text))
			continue
		}
		at := (column.Data().Offset() + row) * width
		add(column.Data().Buffers()[1].Bytes()[at : at+width])
	}
	return sum, nil
}
