//go:build wasip1

package tickrate

import "unsafe"

//go:wasmimport tickrate:plugin/host@0.1.0 log
func hostLog(level uint32, text unsafe.Pointer, bytes uint32)

//go:wasmimport tickrate:plugin/host@0.1.0 count
func hostCount(text unsafe.Pointer, bytes uint32, result unsafe.Pointer)

//go:wasmimport tickrate:plugin/host@0.1.0 encode
func hostEncode(text unsafe.Pointer, bytes uint32, result unsafe.Pointer)

//go:wasmimport tickrate:plugin/host@0.1.0 decode
func hostDecode(tokens unsafe.Pointer, count uint32, result unsafe.Pointer)

//go:wasmimport tickrate:plugin/host@0.1.0 random
func hostRandom() uint64

//go:wasmimport tickrate:plugin/host@0.1.0 files
func hostFiles(result unsafe.Pointer)

//go:wasmimport tickrate:plugin/host@0.1.0 read
func hostRead(name unsafe.Pointer, bytes uint32, offset uint64, length uint32, result unsafe.Pointer)
