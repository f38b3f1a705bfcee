package tickrate

import "unsafe"

// How values cross the boundary: the canonical ABI of the component model, whose addresses have 32 bits. Structs of
// these are laid out by Go as the canonical ABI has them.
type (
	list   struct{ at, count uint32 }
	option struct {
		some uint8
		list
	}
	option32 struct {
		some  uint8
		value uint32
	}
	option64 struct {
		some  uint8
		value uint64
	}
	optionFloat struct {
		some  uint8
		value float64
	}
	pair struct{ name, value list }
	// Of a part, `second` is a picture's or a sound's bytes.
	part struct {
		kind          uint8
		first, second list
	}
	message struct{ role, content, fields list }
	turn    struct {
		prompt    option // as aligned as one, with four kinds
		maxTokens option32
		thinkTime optionFloat
		headers   list
	}
	conversation struct {
		id      option
		turns   list
		arrival optionFloat
		labels  list
	}
	frameMark struct {
		atNs       int64
		event      option
		start, end uint32
	}
	request struct {
		method, url, headers, body list
		framing                    uint8
	}
	output struct {
		frame     uint32
		kind      uint8
		textBytes uint32
		tokens    option32
	}
	failure struct {
		some, kind uint32
		message    list
	}
	outcome struct {
		outputs, text                    list
		input, output, reasoning, cached option64
		finish                           option
		failure                          failure
		labels                           list
	}
	file struct {
		name  list
		bytes uint64
	}
)

// What the other side holds addresses of, so that it is not collected: arguments and answers of this call.
var held []unsafe.Pointer

func hold[T any](first *T) uint32 {
	at := unsafe.Pointer(first)
	held = append(held, at)
	return uint32(uintptr(at))
}

func pointer[T any](at uint32) *T { return (*T)(unsafe.Pointer(uintptr(at))) }

// What is given.

func items[T any](from list) []T { return unsafe.Slice(pointer[T](from.at), from.count) }

func text(from list) string { return unsafe.String(pointer[byte](from.at), from.count) }

func optional(from option) *string {
	if from.some == 0 {
		return nil
	}
	return New(text(from.list))
}

func each[Raw, T any](from list, given func(Raw) T) []T {
	all := make([]T, from.count)
	for i, raw := range items[Raw](from) {
		all[i] = given(raw)
	}
	return all
}

func givenPair(raw pair) Pair { return Pair{text(raw.name), text(raw.value)} }

func givenPart(raw part) Part {
	if kind := PartKind(raw.kind); kind == PartImage || kind == PartAudio {
		return Part{Kind: kind, Mime: text(raw.first), Data: items[byte](raw.second)}
	}
	return Part{Kind: PartKind(raw.kind), Text: text(raw.first)}
}

func givenMessage(raw message) Message {
	return Message{text(raw.role), each(raw.content, givenPart), each(raw.fields, givenPair)}
}

func givenFrame(raw frameMark) FrameMark {
	return FrameMark{raw.atNs, optional(raw.event), raw.start, raw.end}
}

func givenPrompt(kind uint8, from list) Prompt {
	prompt := Prompt{Kind: PromptKind(kind)}
	switch prompt.Kind {
	case PromptText:
		prompt.Text = text(from)
	case PromptTokens:
		prompt.Tokens = items[uint32](from)
	case PromptChat:
		prompt.Chat = each(from, givenMessage)
	case PromptBody:
		prompt.Body = items[byte](from)
	}
	return prompt
}

func givenFile(raw file) File { return File{text(raw.name), raw.bytes} }

func givenConfig(
	model, url list, stream uint32, seed, expected uint64, parameters, options list, path option,
) RunConfig {
	return RunConfig{text(model), text(url), stream != 0, seed, expected, text(parameters), text(options), optional(path)}
}

// What is put.

func putItems[T any](from []T) list {
	if len(from) == 0 {
		return list{}
	}
	return list{hold(unsafe.SliceData(from)), uint32(len(from))}
}

func putText(from string) list {
	if from == "" {
		return list{}
	}
	return list{hold(unsafe.StringData(from)), uint32(len(from))}
}

func putOptional(from *string) option {
	if from == nil {
		return option{}
	}
	return option{1, putText(*from)}
}

func put32(from *uint32) option32 {
	if from == nil {
		return option32{}
	}
	return option32{1, *from}
}

func put64(from *uint64) option64 {
	if from == nil {
		return option64{}
	}
	return option64{1, *from}
}

func putFloat(from *float64) optionFloat {
	if from == nil {
		return optionFloat{}
	}
	return optionFloat{1, *from}
}

func putEach[T, Raw any](from []T, put func(T) Raw) list {
	all := make([]Raw, len(from))
	for i, item := range from {
		all[i] = put(item)
	}
	return putItems(all)
}

func putPair(from Pair) pair { return pair{putText(from.Name), putText(from.Value)} }

func putPart(from Part) part {
	if from.Kind == PartImage || from.Kind == PartAudio {
		return part{uint8(from.Kind), putText(from.Mime), putItems(from.Data)}
	}
	return part{kind: uint8(from.Kind), first: putText(from.Text)}
}

func putMessage(from Message) message {
	return message{putText(from.Role), putEach(from.Content, putPart), putEach(from.Fields, putPair)}
}

func putPrompt(from Prompt) option {
	put := option{some: uint8(from.Kind)}
	switch from.Kind {
	case PromptText:
		put.list = putText(from.Text)
	case PromptTokens:
		put.list = putItems(from.Tokens)
	case PromptChat:
		put.list = putEach(from.Chat, putMessage)
	case PromptBody:
		put.list = putItems(from.Body)
	}
	return put
}

func putTurn(from Turn) turn {
	headers := putEach(from.Headers, putPair)
	return turn{putPrompt(from.Prompt), put32(from.MaxTokens), putFloat(from.ThinkTimeMs), headers}
}

func putConversation(from Conversation) conversation {
	turns, labels := putEach(from.Turns, putTurn), putEach(from.Labels, putPair)
	return conversation{putOptional(from.ID), turns, putFloat(from.ArrivalMs), labels}
}

func putRequest(from HTTPRequest) request {
	headers := putEach(from.Headers, putPair)
	return request{putText(from.Method), putText(from.URL), headers, putItems(from.Body), uint8(from.Framing)}
}

func putOutput(from OutputFrame) output {
	return output{from.Frame, uint8(from.Kind), from.TextBytes, put32(from.Tokens)}
}

func putOutcome(from Outcome) outcome {
	put := outcome{
		outputs:   putEach(from.Outputs, putOutput),
		text:      putItems(from.Text),
		input:     put64(from.Usage.InputTokens),
		output:    put64(from.Usage.OutputTokens),
		reasoning: put64(from.Usage.ReasoningTokens),
		cached:    put64(from.Usage.CachedTokens),
		finish:    putOptional(from.FinishReason),
		labels:    putEach(from.Labels, putPair),
	}
	if from.Failure != nil {
		put.failure = failure{1, uint32(from.Failure.Kind), putText(from.Failure.Message)}
	}
	return put
}
