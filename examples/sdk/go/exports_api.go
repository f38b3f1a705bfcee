//go:build wasip1 && tickrate_api

package tickrate

var api API

//go:wasmexport tickrate:plugin/api@0.1.0#open
func apiOpen(
	model, modelBytes, url, urlBytes, stream uint32,
	seed, expected uint64,
	parameters, parametersBytes, options, optionsBytes, hasPath, path, pathBytes uint32,
) uint32 {
	defer logged()
	config := givenConfig(list{model, modelBytes}, list{url, urlBytes}, stream, seed, expected,
		list{parameters, parametersBytes}, list{options, optionsBytes}, option{uint8(hasPath), list{path, pathBytes}})
	opened, err := openAPI(config)
	api = opened
	return put(batch{}, err)
}

//go:wasmexport tickrate:plugin/api@0.1.0#shape
func apiShape(
	requestID, requestIDBytes, conversationID, conversationIDBytes, turnIndex, history, historyCount uint32,
	promptKind, prompt, promptCount, hasMaxTokens, maxTokens, hasThinkTime uint32,
	thinkTimeMs float64,
	headers, headerCount uint32,
) uint32 {
	defer logged()
	turn := Turn{Prompt: givenPrompt(uint8(promptKind), list{prompt, promptCount})}
	turn.Headers = each(list{headers, headerCount}, givenPair)
	if hasMaxTokens != 0 {
		turn.MaxTokens = &maxTokens
	}
	if hasThinkTime != 0 {
		turn.ThinkTimeMs = &thinkTimeMs
	}
	value, err := api.Shape(TurnInContext{
		RequestID:      text(list{requestID, requestIDBytes}),
		ConversationID: text(list{conversationID, conversationIDBytes}),
		TurnIndex:      turnIndex,
		History:        each(list{history, historyCount}, givenMessage),
		Turn:           turn,
	})
	return put(putRequest(value), err)
}

//go:wasmexport tickrate:plugin/api@0.1.0#parse
func apiParse(
	status, hasType, contentType, typeBytes, framing, complete, payload, payloadBytes, frames, frameCount uint32,
) uint32 {
	defer logged()
	value, err := api.Parse(&Reply{
		Status:      uint16(status),
		ContentType: optional(option{uint8(hasType), list{contentType, typeBytes}}),
		Framing:     Framing(framing),
		Complete:    complete != 0,
		Payload:     items[byte](list{payload, payloadBytes}),
		Frames:      each(list{frames, frameCount}, givenFrame),
	})
	return put(putOutcome(value), err)
}

//go:wasmexport cabi_post_tickrate:plugin/api@0.1.0#open
func apiOpenRead(uint32) { forget() }

//go:wasmexport cabi_post_tickrate:plugin/api@0.1.0#shape
func apiShapeRead(uint32) { forget() }

//go:wasmexport cabi_post_tickrate:plugin/api@0.1.0#parse
func apiParseRead(uint32) { forget() }
