package main

import (
	"testing"

	"example.com/go-api/tickrate"
)

// The outcome of a stream of one event.
func streamed(t *testing.T, event, data string, complete bool) tickrate.Outcome {
	frame := tickrate.FrameMark{Event: &event, End: uint32(len(data))}
	reply := tickrate.Reply{Complete: complete, Payload: []byte(data), Frames: []tickrate.FrameMark{frame}}
	outcome, err := new(dialect).Parse(&reply)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func TestAStreamIsUnderstood(t *testing.T) {
	piece := streamed(t, "piece", `{"text":"n\u00e9","tokens":2}`, true)
	if string(piece.Text) != "né" || len(piece.Outputs) != 1 || *piece.Outputs[0].Tokens != 2 {
		t.Error(piece)
	}
	end := streamed(t, "close", `{"reason":"stop","prompt_tokens":3,"output_tokens":-1}`, true)
	if *end.FinishReason != "stop" || *end.Usage.InputTokens != 3 || end.Usage.OutputTokens != nil {
		t.Error(end)
	}
}

func TestWhatTheServerDoesWrongIsAFailure(t *testing.T) {
	for _, given := range []struct {
		event, data string
		kind        tickrate.FailureKind
	}{
		{"piece", "{", tickrate.InvalidReply},
		{"piece", `{"text":"\ud800"}`, tickrate.InvalidReply},
		{"piece", "{\"text\":\"\xff\"}", tickrate.InvalidReply},
		{"fault", `{"message":"no"}`, tickrate.StreamError},
		{"piece", `{"text":"a"}`, tickrate.Truncated},
		{"close", "{}", tickrate.EmptyReply},
	} {
		if failure := streamed(t, given.event, given.data, true).Failure; failure == nil || failure.Kind != given.kind {
			t.Error(given, failure)
		}
	}
	if failure := streamed(t, "piece", `{"te`, false).Failure; failure != nil {
		t.Error(failure)
	}
}

func TestARequestHasWhatWasAskedFor(t *testing.T) {
	config := tickrate.RunConfig{Model: "m", Stream: true, Parameters: "{}", Options: `{"system":"Be \"brief\"."}`}
	api, err := open(config)
	if err != nil {
		t.Fatal(err)
	}
	turn := tickrate.TurnInContext{Turn: tickrate.Turn{Prompt: tickrate.Prompt{Text: "Why <?"}}}
	turn.Turn.MaxTokens = tickrate.New(uint32(4))
	request, err := api.Shape(turn)
	const wanted = `{"model":"m","stream":true,"talk":[{"who":"system","says":"Be \"brief\"."},` +
		`{"who":"user","says":"Why <?"}],"settings":{},"limit":4}`
	if err != nil || string(request.Body) != wanted {
		t.Error(string(request.Body), err)
	}
	turn.Turn.Prompt.Kind = tickrate.PromptTokens
	if _, err := api.Shape(turn); err == nil || err.(*tickrate.Error).Kind != tickrate.Unsupported {
		t.Error(err)
	}
}
