// Command flight-client exercises a Flight server with arrow-go alone. It runs the scenario that its argument names with the
// JSON on standard input, and prints what it saw as JSON: the tests beside this folder say what that should be.
//
// A refusal by the server is something seen, {"refused": …} with exit status 0; whatever else goes wrong is a failure with
// status 1.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc/status"
)

const timeout = 2 * time.Minute

type scenario func(context.Context, *connection, []byte) (any, error)

var scenarios = map[string]scenario{
	"plan":     with(plan),
	"poll":     with(poll),
	"schema":   with(getSchema),
	"read":     with(read),
	"exchange": with(exchange),
	"flights":  with(listFlights),
	"put":      with(put),
	"files":    with(files),
	"action":   with(action),
	"actions":  with(listActions),
	"cancel":   with(cancel),
	"renew":    with(renew),
	"sessions": with(sessions),
}

// target is what every scenario's input holds besides its own arguments.
type target struct {
	URI   string `json:"uri"`
	Token string `json:"token"`
}

// refusal is a status that the server answered.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 1 || scenarios[arguments[0]] == nil {
		return fmt.Errorf("one argument is needed, a scenario's name, not %q", arguments)
	}
	var input json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil {
		return err
	}
	var to target
	if err := json.Unmarshal(input, &to); err != nil {
		return err
	}
	connection, err := connect(to.URI)
	if err != nil {
		return err
	}
	defer connection.close()
	ctx, cancel := context.WithTimeout(withToken(context.Background(), to.Token), timeout)
	defer cancel()
	seen, err := scenarios[arguments[0]](ctx, connection, input)
	if refused := refusalOf(err); refused != nil {
		seen = map[string]any{"refused": refused}
	} else if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(seen)
}

// with makes a scenario of a function over its own arguments.
func with[Input, Seen any](run func(context.Context, *connection, Input) (Seen, error)) scenario {
	return func(ctx context.Context, to *connection, bytes []byte) (any, error) {
		var input Input
		if err := json.Unmarshal(bytes, &input); err != nil {
			return nil, err
		}
		return run(ctx, to, input)
	}
}

// refusalOf gives nil for no error, and for one that did not come from a call.
func refusalOf(err error) *refusal {
	var fromCall interface{ GRPCStatus() *status.Status }
	if err == nil || !errors.As(err, &fromCall) {
		return nil
	}
	answered := fromCall.GRPCStatus()
	return &refusal{Code: answered.Code().String(), Message: answered.Message()}
}
