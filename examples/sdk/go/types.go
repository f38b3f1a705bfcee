// Package tickrate has what most tickrate plugins in Go need: the contract's types (wit/types.wit says more of each
// member), refusals, replies, outcomes, lines. Copy this folder beside your plugin as "tickrate". Nothing but the
// functions of the host calls tickrate, so that "go test" can test a plugin on the machine itself.
//
// What may be missing is a pointer; New makes one.
package tickrate

// New returns a pointer to a value that is there.
func New[T any](value T) *T { return &value }

// Pair is a header, a label, or a member of a message with its value as JSON text.
type Pair struct{ Name, Value string }

// PartKind says what a part of a message is.
type PartKind uint8

// What a part of a message can be; JSON is a part in the API's own JSON.
const (
	PartText PartKind = iota
	PartImage
	PartAudio
	PartJSON
)

// Part is one piece of a message's content: Text for texts and JSON, Mime and Data for the others.
type Part struct {
	Kind PartKind
	Text string
	Mime string
	Data []byte
}

// Message is one message of a chat.
type Message struct {
	Role    string
	Content []Part
	Fields  []Pair
}

// PromptKind says what a turn asks with.
type PromptKind uint8

// What a turn can ask with; a body is a whole request body in the API's own JSON.
const (
	PromptText PromptKind = iota
	PromptTokens
	PromptChat
	PromptBody
)

// Prompt is what a turn asks: the member that its kind names.
type Prompt struct {
	Kind   PromptKind
	Text   string
	Tokens []uint32
	Chat   []Message
	Body   []byte
}

// Turn is one user turn.
type Turn struct {
	Prompt      Prompt
	MaxTokens   *uint32
	ThinkTimeMs *float64
	Headers     []Pair
}

// Conversation is a sequence of turns, at least one.
type Conversation struct {
	ID        *string
	Turns     []Turn
	ArrivalMs *float64
	Labels    []Pair
}

// TurnInContext is a turn as it is about to be sent, with the messages before it.
type TurnInContext struct {
	RequestID      string
	ConversationID string
	TurnIndex      uint32
	History        []Message
	Turn           Turn
}

// RunConfig has the facts of the run. Parameters and Options are texts of one JSON object each.
type RunConfig struct {
	Model       string
	URL         string
	Stream      bool
	Seed        uint64
	Expected    uint64
	Parameters  string
	Options     string
	DatasetPath *string
}

// Framing says how a reply's bytes divide into frames.
type Framing uint8

// The framings.
const (
	SSE Framing = iota
	NDJSON
	Raw
	Whole
)

// HTTPRequest is a request, ready to be sent.
type HTTPRequest struct {
	Method  string
	URL     string
	Headers []Pair
	Body    []byte
	Framing Framing
}

// FrameMark is one frame of a reply: its bytes are Payload[Start:End], and its last one was read AtNs nanoseconds
// after the request was sent.
type FrameMark struct {
	AtNs       int64
	Event      *string
	Start, End uint32
}

// Reply is a successful reply, whole. Complete says whether it was read to its end.
type Reply struct {
	Status      uint16
	ContentType *string
	Framing     Framing
	Complete    bool
	Payload     []byte
	Frames      []FrameMark
}

// OutputKind says what kind of output a frame carried.
type OutputKind uint8

// The kinds of output.
const (
	Content OutputKind = iota
	Reasoning
	ToolCall
)

// OutputFrame is a frame that carried output: so many bytes of the outcome's text.
type OutputFrame struct {
	Frame     uint32
	Kind      OutputKind
	TextBytes uint32
	Tokens    *uint32
}

// Usage has token counts as the server reports them; any of them may be missing.
type Usage struct{ InputTokens, OutputTokens, ReasoningTokens, CachedTokens *uint64 }

// FailureKind is a failure that only a plugin can see, since it is in the words of a reply.
type FailureKind uint8

// The failures.
const (
	StreamError FailureKind = iota
	InvalidReply
	EmptyReply
	Truncated
)

// Failure is what went wrong with a request, in one line.
type Failure struct {
	Kind    FailureKind
	Message string
}

// Outcome is what a plugin made of a reply. The TextBytes of the outputs add up to the length of Text.
type Outcome struct {
	Outputs      []OutputFrame
	Text         []byte
	Usage        Usage
	FinishReason *string
	Failure      *Failure
	Labels       []Pair
}

// File is a file of the dataset, and its size.
type File struct {
	Name  string
	Bytes uint64
}

// ErrorKind says whose mistake an error is.
type ErrorKind uint8

// The errors of the contract.
const (
	InvalidConfig ErrorKind = iota
	InvalidData
	Unsupported
	Internal
)

// Error is an error of the contract; its text is one line that says what to do. Any other error is Internal.
type Error struct {
	Kind ErrorKind
	Text string
}

func (e *Error) Error() string { return e.Text }
