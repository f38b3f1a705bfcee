//go:build !wasip1

package tickrate

import "unsafe"

// Without tickrate there is no host; what "go test" tests goes without.
const nowhere = "only tickrate has this function"

func hostLog(level uint32, text unsafe.Pointer, bytes uint32) { panic(nowhere) }

func hostCount(text unsafe.Pointer, bytes uint32, result unsafe.Pointer) { panic(nowhere) }

func hostEncode(text unsafe.Pointer, bytes uint32, result unsafe.Pointer) { panic(nowhere) }

func hostDecode(tokens unsafe.Pointer, count uint32, result unsafe.Pointer) { panic(nowhere) }

func hostRandom() uint64 { panic(nowhere) }

func hostFiles(result unsafe.Pointer) { panic(nowhere) }

func hostRead(name unsafe.Pointer, bytes uint32, offset uint64, length uint32, result unsafe.Pointer) {
	panic(nowhere)
}
