package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// As large as pyarrow takes by default, which is any size; gRPC for Go would stop at 4 MiB.
const messageBytesMax = 64 << 20

// connection is the client of one server, and of the other places that its endpoints name.
type connection struct {
	flight.Client
	elsewhere map[string]flight.Client
}

func connect(uri string) (*connection, error) {
	client, err := dial(uri)
	if err != nil {
		return nil, err
	}
	return &connection{Client: client, elsewhere: map[string]flight.Client{}}, nil
}

// at gives the client for an endpoint's location.
func (c *connection) at(location string) (flight.Client, error) {
	if location == flight.LocationReuseConnection {
		return c.Client, nil
	}
	if client, open := c.elsewhere[location]; open {
		return client, nil
	}
	client, err := dial(location)
	if err != nil {
		return nil, err
	}
	c.elsewhere[location] = client
	return client, nil
}

func (c *connection) close() {
	for _, client := range c.elsewhere {
		client.Close()
	}
	c.Client.Close()
}

func dial(uri string) (flight.Client, error) {
	parsed, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	if parsed.Scheme != "grpc+tcp" && parsed.Scheme != "grpc" {
		return nil, fmt.Errorf("not a location over plain TCP: %s", uri)
	}
	return flight.NewClientWithMiddleware(parsed.Host, nil, nil,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageBytesMax)))
}

func withToken(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}
