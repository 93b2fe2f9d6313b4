package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// scanInput names what is scanned: a request for a command, or a path.
type scanInput struct {
	Request json.RawMessage `json:"request"`
	Path    []string        `json:"path"`
}

func (s scanInput) descriptor() *flight.FlightDescriptor {
	if s.Path != nil {
		return &flight.FlightDescriptor{Type: flight.DescriptorPATH, Path: s.Path}
	}
	return &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: s.Request}
}

type endpoint struct {
	Locations []string  `json:"locations"`
	ExpiresAt time.Time `json:"expiresAt"`
	Ticket    []byte    `json:"ticket"`
}

type flightInfo struct {
	Path         []string        `json:"path"`
	Columns      []column        `json:"columns"`
	TotalRecords int64           `json:"totalRecords"`
	TotalBytes   int64           `json:"totalBytes"`
	Ordered      bool            `json:"ordered"`
	Metadata     json.RawMessage `json:"metadata"`
	Endpoints    []endpoint      `json:"endpoints"`
}

func infoOf(info *flight.FlightInfo) (*flightInfo, error) {
	schema, err := flight.DeserializeSchema(info.Schema, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	seen := &flightInfo{
		Path:         info.GetFlightDescriptor().GetPath(),
		Columns:      columnsOf(schema),
		TotalRecords: info.TotalRecords,
		TotalBytes:   info.TotalBytes,
		Ordered:      info.Ordered,
		Metadata:     json.RawMessage("null"),
		Endpoints:    []endpoint{},
	}
	if len(info.AppMetadata) > 0 {
		seen.Metadata = info.AppMetadata
	}
	for _, each := range info.Endpoint {
		seen.Endpoints = append(seen.Endpoints, endpointOf(each))
	}
	return seen, nil
}

func endpointOf(of *flight.FlightEndpoint) endpoint {
	locations := []string{}
	for _, location := range of.Location {
		locations = append(locations, location.Uri)
	}
	return endpoint{locations, of.ExpirationTime.AsTime(), of.Ticket.Ticket}
}

func plan(ctx context.Context, to *connection, input scanInput) (*flightInfo, error) {
	info, err := to.GetFlightInfo(ctx, input.descriptor())
	if err != nil {
		return nil, err
	}
	return infoOf(info)
}

type pollSeen struct {
	Info      *flightInfo `json:"info"`
	Complete  bool        `json:"complete"`
	Progress  *float64    `json:"progress"`
	ExpiresAt time.Time   `json:"expiresAt"`
	Rows      int         `json:"rows"`
}

// poll also reads what the poll promised.
func poll(ctx context.Context, to *connection, input scanInput) (*pollSeen, error) {
	answer, err := to.PollFlightInfo(ctx, input.descriptor())
	if err != nil {
		return nil, err
	}
	info, err := infoOf(answer.Info)
	if err != nil {
		return nil, err
	}
	seen := &pollSeen{
		Info:      info,
		Complete:  answer.FlightDescriptor == nil,
		Progress:  answer.Progress,
		ExpiresAt: answer.ExpirationTime.AsTime(),
	}
	for _, each := range answer.Info.Endpoint {
		part, err := get(ctx, to.Client, each.Ticket)
		if err != nil {
			return nil, err
		}
		seen.Rows += len(part.Rows)
	}
	return seen, nil
}

func getSchema(ctx context.Context, to *connection, input scanInput) ([]column, error) {
	answer, err := to.GetSchema(ctx, input.descriptor())
	if err != nil {
		return nil, err
	}
	schema, err := flight.DeserializeSchema(answer.Schema, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	return columnsOf(schema), nil
}

type place struct {
	Endpoint int     `json:"endpoint"`
	Location string  `json:"location"`
	Stream   *stream `json:"stream"`
}

// read plans a scan, and reads every endpoint at every location that it names.
func read(ctx context.Context, to *connection, input scanInput) ([]place, error) {
	info, err := to.GetFlightInfo(ctx, input.descriptor())
	if err != nil {
		return nil, err
	}
	places := []place{}
	for at, each := range info.Endpoint {
		for _, location := range each.Location {
			client, err := to.at(location.Uri)
			if err != nil {
				return nil, err
			}
			part, err := get(ctx, client, each.Ticket)
			if err != nil {
				return nil, err
			}
			places = append(places, place{at, location.Uri, part})
		}
	}
	return places, nil
}

func get(ctx context.Context, client flight.Client, ticket *flight.Ticket) (*stream, error) {
	source, err := client.DoGet(ctx, ticket)
	if err != nil {
		return nil, err
	}
	return drain(source)
}

// exchange sends a descriptor without data, and reads what comes back.
func exchange(ctx context.Context, to *connection, input scanInput) (*stream, error) {
	source, err := to.DoExchange(ctx)
	if err != nil {
		return nil, err
	}
	if err := source.Send(&flight.FlightData{FlightDescriptor: input.descriptor()}); err != nil {
		return nil, err
	}
	if err := source.CloseSend(); err != nil {
		return nil, err
	}
	return drain(source)
}

type criteria struct {
	Expression string `json:"expression"`
}

func listFlights(ctx context.Context, to *connection, input criteria) ([]*flightInfo, error) {
	source, err := to.ListFlights(ctx, &flight.Criteria{Expression: []byte(input.Expression)})
	if err != nil {
		return nil, err
	}
	flights := []*flightInfo{}
	for {
		info, err := source.Recv()
		if errors.Is(err, io.EOF) {
			return flights, nil
		}
		if err != nil {
			return nil, err
		}
		seen, err := infoOf(info)
		if err != nil {
			return nil, err
		}
		flights = append(flights, seen)
	}
}
