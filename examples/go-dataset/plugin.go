// A dataset as a tickrate plugin: the lines of a file as questions, or made-up ones without a file. The package
// tickrate is what plugins share.
package main

import (
	"fmt"

	"example.com/go-dataset/tickrate"
)

// What --dataset-args may hold, as a JSON Schema. tickrate checks the options before it calls open.
const options = `{
	"type": "object",
	"properties": {
		"turns": {"type": "integer", "minimum": 1, "maximum": 8, "description": "turns of each conversation"}
	},
	"additionalProperties": false
}`

func init() {
	tickrate.ExportDataset(tickrate.Info{Name: "go-dataset", Version: "0.1.0", OptionsSchema: options}, open)
}

// Go wants it; nobody calls it.
func main() {}

// A source of questions: these lines, or sums where there is no file.
type questions struct {
	lines   []string
	hasFile bool
	turns   uint64
	given   int
	// Random numbers come from tickrate: they follow from the seed of the run.
	random func() uint64
}

// Called once, before anything else. To begin again, tickrate makes a new instance.
func open(config tickrate.RunConfig) (tickrate.Dataset, error) {
	options := tickrate.ObjectOf([]byte(config.Options))
	if options == nil {
		return nil, tickrate.Refuse(tickrate.InvalidConfig, "the options have to be a JSON object")
	}
	source := &questions{hasFile: config.DatasetPath != nil, turns: 1, random: tickrate.Random}
	if turns := options.Count("turns"); turns != nil {
		source.turns = *turns
	}
	if !source.hasFile {
		return source, nil
	}
	lines, err := tickrate.Lines()
	source.lines = lines
	return source, err
}

// Next returns at most so many further conversations; none means that there are no more.
func (q *questions) Next(atMost int) ([]tickrate.Conversation, error) {
	if q.hasFile {
		atMost = min(atMost, len(q.lines)-q.given)
	}
	batch := make([]tickrate.Conversation, atMost)
	for i := range batch {
		batch[i] = q.conversation(q.given)
		q.given++
	}
	return batch, nil
}

func (q *questions) conversation(number int) tickrate.Conversation {
	var question string
	if q.hasFile {
		question = q.lines[number]
	} else {
		question = sum(number, q.random)
	}
	turns := []tickrate.Turn{tickrate.Ask(question)}
	for uint64(len(turns)) < q.turns {
		turns = append(turns, tickrate.Ask("Are you sure?"))
	}
	return tickrate.Conversation{ID: tickrate.New(fmt.Sprintf("question-%d", number)), Turns: turns}
}

// A question about a sum.
func sum(number int, random func() uint64) string {
	a, b := random()%100, random()%100
	return fmt.Sprintf("%d. What is %d + %d?", number, a, b)
}
