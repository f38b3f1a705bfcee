package tickrate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Refuse returns an error of the contract.
func Refuse(kind ErrorKind, text string) error { return &Error{kind, text} }

// Utterance is one message that is text and nothing else.
type Utterance struct{ Role, Text string }

// Utterances returns the whole conversation as roles and texts: what was said before, and then the turn's own.
func Utterances(turn TurnInContext) ([]Utterance, error) {
	var now []Message
	switch prompt := turn.Turn.Prompt; prompt.Kind {
	case PromptText:
		now = []Message{{Role: "user", Content: []Part{{Text: prompt.Text}}}}
	case PromptChat:
		now = prompt.Chat
	default:
		return nil, Refuse(Unsupported, "this API takes texts and chats; choose another dataset")
	}
	var said []Utterance
	for _, messages := range [][]Message{turn.History, now} {
		for _, message := range messages {
			var text strings.Builder
			for _, part := range message.Content {
				if part.Kind != PartText {
					return nil, Refuse(Unsupported, "this API takes text only; choose another dataset")
				}
				text.WriteString(part.Text)
			}
			said = append(said, Utterance{message.Role, text.String()})
		}
	}
	return said, nil
}

// PostJSON returns a POST of body as JSON.
func PostJSON(url string, body any, framing Framing) (HTTPRequest, error) {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return HTTPRequest{}, err
	}
	headers := []Pair{{"Content-Type", "application/json"}}
	return HTTPRequest{"POST", url, headers, bytes.TrimSpace(data.Bytes()), framing}, nil
}

// Event is one frame of a reply. Its name is empty where it has none; MayBeCut is the last frame of a reply that
// broke off.
type Event struct {
	Index    int
	Name     string
	Data     []byte
	MayBeCut bool
}

// Events returns the frames of a reply, in order.
func (r *Reply) Events() []Event {
	events := make([]Event, len(r.Frames))
	for i, frame := range r.Frames {
		events[i] = Event{Index: i, Data: r.Payload[frame.Start:frame.End]}
		events[i].MayBeCut = !r.Complete && i+1 == len(r.Frames)
		if frame.Event != nil {
			events[i].Name = *frame.Event
		}
	}
	return events
}

// Object is a JSON object, its members as they are written.
type Object map[string]json.RawMessage

// As deep as values may be nested: the stack is small.
const depth = 127

// ObjectOf returns the JSON object in data; nil if it is something else. What is no UTF-8 is no JSON, and neither
// is half a pair of surrogates, which encoding/json would let pass.
func ObjectOf(data []byte) Object {
	var object Object
	if !utf8.Valid(data) || !readable(data) || json.Unmarshal(data, &object) != nil {
		return nil
	}
	return object
}

// Whether values are not nested too deep, and each \u of half a pair has the other half beside it.
func readable(data []byte) bool {
	var open int
	var quoted, waits bool // for a second half
	for i := 0; i < len(data); i++ {
		var code uint64
		switch c := data[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\':
			i++
			if i+5 <= len(data) && data[i] == 'u' {
				code, _ = strconv.ParseUint(string(data[i+1:i+5]), 16, 16)
				i += 4
			}
		case quoted:
		case c == '{' || c == '[':
			open++
		case c == '}' || c == ']':
			open--
		}
		if second := code >= 0xdc00 && code < 0xe000; second != waits || open > depth {
			return false
		}
		waits = code >= 0xd800 && code < 0xdc00
	}
	return true
}

// Text returns the text in a member; nil if it is no string.
func (o Object) Text(name string) *string {
	var text *string
	if json.Unmarshal(o[name], &text) != nil {
		return nil
	}
	return text
}

// Count returns the count in a member; nil if it is no whole number from 0 on.
func (o Object) Count(name string) *uint64 {
	var count *uint64
	if json.Unmarshal(o[name], &count) != nil {
		return nil
	}
	return count
}

// Add notes that a frame brought text, of so many tokens where the server says so. A text that is empty or missing
// is no output.
func (o *Outcome) Add(event Event, kind OutputKind, text *string, tokens *uint64) {
	if text == nil || *text == "" {
		return
	}
	output := OutputFrame{Frame: uint32(event.Index), Kind: kind, TextBytes: uint32(len(*text))}
	if tokens != nil && uint64(uint32(*tokens)) == *tokens {
		output.Tokens = New(uint32(*tokens))
	}
	o.Text = append(o.Text, *text...)
	o.Outputs = append(o.Outputs, output)
}

// Fail notes a failure of the server's.
func (o *Outcome) Fail(kind FailureKind, message string) { o.Failure = &Failure{kind, message} }

// Unreadable notes that a frame is not what it should be, unless it may be half a frame. Read no further.
func (o *Outcome) Unreadable(event Event) {
	if !event.MayBeCut {
		o.Fail(InvalidReply, fmt.Sprintf("frame %d is not what the server should send", event.Index))
	}
}

// End notes what is wrong with a reply as a whole, when all of its frames have been read.
func (o *Outcome) End(reply *Reply, closed bool) {
	switch {
	case !reply.Complete || o.Failure != nil:
	case reply.Framing != Whole && !closed:
		o.Fail(Truncated, "the stream ended before the server had closed it")
	case len(o.Outputs) == 0:
		o.Fail(EmptyReply, "the reply carried no output")
	}
}

// Ask returns a turn in which the user says text.
func Ask(text string) Turn {
	message := Message{Role: "user", Content: []Part{{Text: text}}}
	return Turn{Prompt: Prompt{Kind: PromptChat, Chat: []Message{message}}}
}

// LinesOf returns the lines in data that say something, without white space around them; bytes that are no UTF-8
// are replaced.
func LinesOf(data []byte) []string {
	var lines []string
	for _, line := range strings.Split(string(data), "\n") {
		if line = strings.TrimSpace(valid(line)); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// The text with U+FFFD for what is no UTF-8: one for the beginning of a character, and for each other byte.
func valid(text string) string {
	var replaced strings.Builder
	for len(text) > 0 {
		code, size := utf8.DecodeRuneInString(text)
		if code == utf8.RuneError && size == 1 {
			size = beginning(text)
		}
		replaced.WriteRune(code)
		text = text[size:]
	}
	return replaced.String()
}

// How many bytes at the beginning of text belong together and are no character.
func beginning(text string) int {
	length, least, most := 1, byte(0x80), byte(0xbf)
	switch first := text[0]; {
	case first >= 0xc2 && first <= 0xdf:
		length = 2
	case first >= 0xe0 && first <= 0xef:
		length = 3
	case first >= 0xf0 && first <= 0xf4:
		length = 4
	}
	// What would be too long, half a surrogate pair or beyond the last character shows in the second byte.
	switch text[0] {
	case 0xe0:
		least = 0xa0
	case 0xed:
		most = 0x9f
	case 0xf0:
		least = 0x90
	case 0xf4:
		most = 0x8f
	}
	size := 1
	for size < min(length, len(text)) && text[size] >= least && text[size] <= most {
		size, least, most = size+1, 0x80, 0xbf
	}
	return size
}
