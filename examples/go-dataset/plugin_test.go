package main

import (
	"slices"
	"testing"

	"example.com/go-dataset/tickrate"
)

func TestSumsFollowFromTheRandomNumbers(t *testing.T) {
	numbers := []uint64{7, 205}
	question := sum(3, func() uint64 {
		number := numbers[0]
		numbers = numbers[1:]
		return number
	})
	if question != "3. What is 7 + 5?" {
		t.Error(question)
	}
}

func TestThereAreAsManyTurnsAsAskedForAndNoMoreQuestionsThanLines(t *testing.T) {
	source := &questions{lines: []string{"Why?", "How?"}, hasFile: true, turns: 2}
	if first, _ := source.Next(1); len(first) != 1 {
		t.Error(first)
	}
	batch, _ := source.Next(9)
	if len(batch) != 1 || *batch[0].ID != "question-1" || len(batch[0].Turns) != 2 {
		t.Fatal(batch)
	}
	if text := batch[0].Turns[1].Prompt.Chat[0].Content[0].Text; text != "Are you sure?" {
		t.Error(text)
	}
	if last, _ := source.Next(9); len(last) != 0 {
		t.Error(last)
	}
}

func TestLinesAreWhatSaysSomething(t *testing.T) {
	lines := tickrate.LinesOf([]byte("Why?\n\n \xc2\xa0 How? \r\n\xff\n\xe2\x82\nlast"))
	if !slices.Equal(lines, []string{"Why?", "How?", "\ufffd", "\ufffd", "last"}) {
		t.Errorf("%q", lines)
	}
}
