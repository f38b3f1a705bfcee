//go:build wasip1

package tickrate

import (
	"errors"
	"fmt"
	"unsafe"
)

// What is returned: a value, or an error where the value would be.
type result[T any] struct {
	failed uint8
	value  T
}

// A list with room for an error.
type batch struct {
	list
	_ uint32
}

// Puts a value or an error, as a function of the contract returns it.
func put[T any](value T, err error) uint32 {
	answer := &result[T]{value: value}
	if err != nil {
		kind, text := Internal, err.Error()
		var own *Error
		if errors.As(err, &own) {
			kind = own.Kind
		}
		answer.failed = 1
		*(*option)(unsafe.Pointer(&answer.value)) = option{uint8(kind), putText(text)}
	}
	return hold(answer)
}

// A panic is a line in the run's log and the end of the instance.
func logged() {
	if reason := recover(); reason != nil {
		Log(LevelError, fmt.Sprint("panic: ", reason))
		panic(reason)
	}
}

//go:wasmexport cabi_realloc
func reallocate(old, oldSize, multiple, size uint32) uint32 {
	if size == 0 {
		return multiple
	}
	// Go aligns numbers of eight bytes as the contract wants them.
	room := make([]uint64, (size+7)/8)
	at := hold(&room[0])
	copy(unsafe.Slice(pointer[byte](at), size), unsafe.Slice(pointer[byte](old), oldSize))
	return at
}

//go:wasmexport tickrate:plugin/info@0.1.0#name
func name() uint32 { return hold(New(putText(plugin.Name))) }

//go:wasmexport tickrate:plugin/info@0.1.0#version
func version() uint32 { return hold(New(putText(plugin.Version))) }

//go:wasmexport tickrate:plugin/info@0.1.0#options-schema
func optionsSchema(role uint32) uint32 {
	if role == 0 {
		return hold(New(putText(datasetOptions)))
	}
	return hold(New(putText(apiOptions)))
}

// When tickrate has read an answer, nothing of the call is needed any more.
func forget() {
	clear(held)
	held = held[:0]
}

//go:wasmexport cabi_post_tickrate:plugin/info@0.1.0#name
func nameRead(uint32) { forget() }

//go:wasmexport cabi_post_tickrate:plugin/info@0.1.0#version
func versionRead(uint32) { forget() }

//go:wasmexport cabi_post_tickrate:plugin/info@0.1.0#options-schema
func optionsSchemaRead(uint32) { forget() }
