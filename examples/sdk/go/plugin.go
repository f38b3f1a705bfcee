package tickrate

// API speaks the dialect of a server. Nothing may be kept from one call to another.
type API interface {
	// Shape returns the request for one turn.
	Shape(turn TurnInContext) (HTTPRequest, error)
	// Parse returns what a whole reply says. What the server did wrong is a failure in the outcome.
	Parse(reply *Reply) (Outcome, error)
}

// Dataset is a source of conversations.
type Dataset interface {
	// Next returns at most so many further conversations; none means that there are no more.
	Next(atMost int) ([]Conversation, error)
}

// Info says who a plugin is, and which options it takes, as a JSON Schema.
type Info struct{ Name, Version, OptionsSchema string }

var (
	plugin         Info
	datasetOptions string
	apiOptions     string
	openAPI        func(RunConfig) (API, error)
	openDataset    func(RunConfig) (Dataset, error)
)

// ExportAPI makes a plugin of a function that opens an API. Call it in init; a plugin that is both calls
// ExportDataset as well, with options of its own.
func ExportAPI(info Info, open func(RunConfig) (API, error)) {
	plugin, apiOptions, openAPI = info, info.OptionsSchema, open
}

// ExportDataset makes a plugin of a function that opens a dataset. Call it in init.
func ExportDataset(info Info, open func(RunConfig) (Dataset, error)) {
	plugin, datasetOptions, openDataset = info, info.OptionsSchema, open
}
