package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

type actionInput struct {
	Type string `json:"type"`
	Body string `json:"body"`
}

func action(ctx context.Context, to *connection, input actionInput) ([]string, error) {
	bodies, err := act(ctx, to, input.Type, []byte(input.Body))
	if err != nil {
		return nil, err
	}
	texts := []string{}
	for _, body := range bodies {
		texts = append(texts, string(body))
	}
	return texts, nil
}

func act(ctx context.Context, to *connection, kind string, body []byte) ([][]byte, error) {
	source, err := to.DoAction(ctx, &flight.Action{Type: kind, Body: body})
	if err != nil {
		return nil, err
	}
	bodies := [][]byte{}
	for {
		result, err := source.Recv()
		if errors.Is(err, io.EOF) {
			return bodies, nil
		}
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, result.Body)
	}
}

func listActions(ctx context.Context, to *connection, _ struct{}) (map[string]string, error) {
	source, err := to.ListActions(ctx, &flight.Empty{})
	if err != nil {
		return nil, err
	}
	descriptions := map[string]string{}
	for {
		each, err := source.Recv()
		if errors.Is(err, io.EOF) {
			return descriptions, nil
		}
		if err != nil {
			return nil, err
		}
		descriptions[each.Type] = each.Description
	}
}

type cancelInput struct {
	scanInput
	// Batches to read first.
	Batches int `json:"batches"`
	// Sends the request inside an Any, as JDBC and ADBC drivers do.
	Wrapped bool `json:"wrapped"`
}

type cancelSeen struct {
	Status     string   `json:"status"`
	RowsBefore int64    `json:"rowsBefore"`
	RowsAfter  int64    `json:"rowsAfter"`
	Ended      *refusal `json:"ended"`
	Again      *refusal `json:"again"`
}

// cancel reads a little of a plan's first endpoint, cancels the plan, reads on to the end, and tries once more.
func cancel(ctx context.Context, to *connection, input cancelInput) (*cancelSeen, error) {
	info, err := to.GetFlightInfo(ctx, input.descriptor())
	if err != nil {
		return nil, err
	}
	ticket := info.Endpoint[0].Ticket
	source, err := to.DoGet(ctx, ticket)
	if err != nil {
		return nil, err
	}
	reader, err := flight.NewRecordReader(source)
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	seen := &cancelSeen{}
	for range input.Batches {
		if !reader.Next() {
			return nil, errors.New("the stream ended before it was cancelled")
		}
		seen.RowsBefore += reader.RecordBatch().NumRows()
	}
	if seen.Status, err = sendCancel(ctx, to, info, input.Wrapped); err != nil {
		return nil, err
	}
	for reader.Next() {
		seen.RowsAfter += reader.RecordBatch().NumRows()
	}
	seen.Ended = refusalOf(reader.Err())
	again, err := get(ctx, to.Client, ticket)
	if err != nil {
		return nil, err
	}
	seen.Again = again.Refused
	return seen, nil
}

func sendCancel(ctx context.Context, to *connection, info *flight.FlightInfo, wrapped bool) (string, error) {
	request := &flight.CancelFlightInfoRequest{Info: info}
	if !wrapped {
		result, err := to.CancelFlightInfo(ctx, request)
		return result.GetStatus().String(), err
	}
	wrapping, err := anypb.New(request)
	if err != nil {
		return "", err
	}
	body, err := proto.Marshal(wrapping)
	if err != nil {
		return "", err
	}
	results, err := act(ctx, to, flight.CancelFlightInfoActionType, body)
	if err != nil {
		return "", err
	}
	var result flight.CancelFlightInfoResult
	err = proto.Unmarshal(results[0], &result)
	return result.GetStatus().String(), err
}

type renewInput struct {
	scanInput
	// When to renew, and when to read, after planning.
	RenewAfterMs int64 `json:"renewAfterMs"`
	ReadAfterMs  int64 `json:"readAfterMs"`
}

type renewSeen struct {
	Old     endpoint `json:"old"`
	Renewed endpoint `json:"renewed"`
	// The old ticket's stream, read at once, and the stream of either ticket when it is time to read.
	First        *stream `json:"first"`
	OldLater     *stream `json:"oldLater"`
	RenewedLater *stream `json:"renewedLater"`
	// The renewed ticket, from the place after the first batch of the old one.
	Continued *stream `json:"continued"`
}

func renew(ctx context.Context, to *connection, input renewInput) (*renewSeen, error) {
	started := time.Now()
	info, err := to.GetFlightInfo(ctx, input.descriptor())
	if err != nil {
		return nil, err
	}
	old := info.Endpoint[0]
	first, err := get(ctx, to.Client, old.Ticket)
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Until(started.Add(time.Duration(input.RenewAfterMs) * time.Millisecond)))
	renewed, err := to.RenewFlightEndpoint(ctx, &flight.RenewFlightEndpointRequest{Endpoint: old})
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Until(started.Add(time.Duration(input.ReadAfterMs) * time.Millisecond)))
	seen := &renewSeen{Old: endpointOf(old), Renewed: endpointOf(renewed), First: first}
	if seen.RenewedLater, err = get(ctx, to.Client, renewed.Ticket); err != nil {
		return nil, err
	}
	resume := metadata.AppendToOutgoingContext(ctx, "headrace-cursor", first.Progress[0].Cursor)
	if seen.Continued, err = get(resume, to.Client, renewed.Ticket); err != nil {
		return nil, err
	}
	seen.OldLater, err = get(ctx, to.Client, old.Ticket)
	return seen, err
}

type sessionsSeen struct {
	Errors  map[string]string `json:"errors"`
	Options []string          `json:"options"`
	Close   string            `json:"close"`
}

// sessions sets an option of each kind, asks what is set, and closes the session.
func sessions(ctx context.Context, to *connection, _ struct{}) (*sessionsSeen, error) {
	options, err := flight.NewSessionOptionValues(map[string]any{
		"text": "value", "flag": true, "count": int64(7), "ratio": 0.5, "list": []string{"a", "b"}, "unset": nil,
	})
	if err != nil {
		return nil, err
	}
	set, err := to.SetSessionOptions(ctx, &flight.SetSessionOptionsRequest{SessionOptions: options})
	if err != nil {
		return nil, err
	}
	got, err := to.GetSessionOptions(ctx, &flight.GetSessionOptionsRequest{})
	if err != nil {
		return nil, err
	}
	closed, err := to.CloseSession(ctx, &flight.CloseSessionRequest{})
	if err != nil {
		return nil, err
	}
	seen := &sessionsSeen{Errors: map[string]string{}, Options: []string{}, Close: closed.Status.String()}
	for name, failure := range set.Errors {
		seen.Errors[name] = failure.Value.String()
	}
	for name := range got.SessionOptions {
		seen.Options = append(seen.Options, name)
	}
	return seen, nil
}
