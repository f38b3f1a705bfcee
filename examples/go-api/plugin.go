// A server's dialect as a tickrate plugin: a turn becomes a request, a reply becomes an outcome. protocol.md beside
// the examples says what the server speaks, the package tickrate is what plugins share.
package main

import (
	"encoding/json"

	"example.com/go-api/tickrate"
)

// What --api-args may hold, as a JSON Schema. tickrate checks the options before it calls open.
const options = `{
	"type": "object",
	"properties": {"system": {"type": "string", "description": "a system message before every chat"}},
	"additionalProperties": false
}`

func init() {
	tickrate.ExportAPI(tickrate.Info{Name: "go-api", Version: "0.1.0", OptionsSchema: options}, open)
}

// Go wants it; nobody calls it.
func main() {}

type dialect struct {
	model, url string
	stream     bool
	settings   json.RawMessage
	system     *string
}

// Called once for each instance, before anything else.
func open(config tickrate.RunConfig) (tickrate.API, error) {
	options := tickrate.ObjectOf([]byte(config.Options))
	if options == nil || tickrate.ObjectOf([]byte(config.Parameters)) == nil {
		text := "the options and the parameters have to be JSON objects"
		return nil, tickrate.Refuse(tickrate.InvalidConfig, text)
	}
	settings := json.RawMessage(config.Parameters)
	return &dialect{config.Model, config.URL, config.Stream, settings, options.Text("system")}, nil
}

type said struct {
	Who  string `json:"who"`
	Says string `json:"says"`
}

type talk struct {
	Model    string          `json:"model"`
	Stream   bool            `json:"stream"`
	Talk     []said          `json:"talk"`
	Settings json.RawMessage `json:"settings"`
	Limit    *uint32         `json:"limit,omitempty"`
}

// Shape returns the request for one turn. Nothing may be kept from one call to the next.
func (d *dialect) Shape(turn tickrate.TurnInContext) (tickrate.HTTPRequest, error) {
	body := talk{d.model, d.stream, nil, d.settings, turn.Turn.MaxTokens}
	if d.system != nil {
		body.Talk = append(body.Talk, said{"system", *d.system})
	}
	utterances, err := tickrate.Utterances(turn)
	if err != nil {
		return tickrate.HTTPRequest{}, err
	}
	for _, utterance := range utterances {
		body.Talk = append(body.Talk, said{utterance.Role, utterance.Text})
	}
	framing := tickrate.Whole
	if d.stream {
		framing = tickrate.SSE
	}
	return tickrate.PostJSON(d.url, body, framing)
}

// Parse returns what a whole reply says. What the server did wrong is a failure in the outcome.
func (d *dialect) Parse(reply *tickrate.Reply) (outcome tickrate.Outcome, err error) {
	closed := false
	for _, event := range reply.Events() {
		data := tickrate.ObjectOf(event.Data)
		if data == nil {
			outcome.Unreadable(event)
			return outcome, nil
		}
		switch {
		case reply.Framing == tickrate.Whole:
			if message := data.Text("fault"); message != nil {
				outcome.Fail(tickrate.StreamError, *message)
			}
			outcome.Add(event, tickrate.Reasoning, data.Text("thought"), nil)
			outcome.Add(event, tickrate.Content, data.Text("text"), nil)
			end(&outcome, data)
		case event.Name == "thought":
			outcome.Add(event, tickrate.Reasoning, data.Text("text"), data.Count("tokens"))
		case event.Name == "piece":
			outcome.Add(event, tickrate.Content, data.Text("text"), data.Count("tokens"))
		case event.Name == "close":
			closed = true
			end(&outcome, data)
		case event.Name == "fault":
			message := ""
			if text := data.Text("message"); text != nil {
				message = *text
			}
			outcome.Fail(tickrate.StreamError, message)
			return outcome, nil
		}
	}
	outcome.End(reply, closed)
	return outcome, nil
}

// Why the server stopped, and what it counted.
func end(outcome *tickrate.Outcome, data tickrate.Object) {
	outcome.FinishReason = data.Text("reason")
	outcome.Usage = tickrate.Usage{
		InputTokens:     data.Count("prompt_tokens"),
		CachedTokens:    data.Count("cached_tokens"),
		OutputTokens:    data.Count("output_tokens"),
		ReasoningTokens: data.Count("thought_tokens"),
	}
}
