// What tickrate offers to a plugin; wit/host.wit says more of each.

package tickrate

import "unsafe"

// Level says how much a line of the log matters.
type Level uint32

// The levels of the log.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// What the host answers: the value, or why there is none.
type answer struct {
	failed uint32
	list
}

func (a *answer) err() error {
	if a.failed&1 == 0 {
		return nil
	}
	return Refuse(InvalidData, text(a.list))
}

// Log writes one line to the run's log.
func Log(level Level, text string) {
	hostLog(uint32(level), unsafe.Pointer(unsafe.StringData(text)), uint32(len(text)))
}

// Count returns how many tokens text has. It fails where the run has no tokenizer.
func Count(text string) (uint32, error) {
	var result answer
	hostCount(unsafe.Pointer(unsafe.StringData(text)), uint32(len(text)), unsafe.Pointer(&result))
	return result.at, result.err()
}

// Encode returns the tokens of text. It fails where the run has no tokenizer.
func Encode(text string) ([]uint32, error) {
	var result answer
	hostEncode(unsafe.Pointer(unsafe.StringData(text)), uint32(len(text)), unsafe.Pointer(&result))
	if err := result.err(); err != nil {
		return nil, err
	}
	return items[uint32](result.list), nil
}

// Decode returns the text of tokens. It fails where the run has no tokenizer, or no such token.
func Decode(tokens []uint32) (string, error) {
	var result answer
	hostDecode(unsafe.Pointer(unsafe.SliceData(tokens)), uint32(len(tokens)), unsafe.Pointer(&result))
	if err := result.err(); err != nil {
		return "", err
	}
	return text(result.list), nil
}

// Random returns the next of a series of random numbers that depends on the run's seed alone.
func Random() uint64 { return hostRandom() }

// Files returns the files given with --dataset-path, sorted by name.
func Files() ([]File, error) {
	var result answer
	hostFiles(unsafe.Pointer(&result))
	if err := result.err(); err != nil {
		return nil, err
	}
	return each(result.list, givenFile), nil
}

// Read returns at most so many bytes of a file, from offset; fewer at its end, none behind it.
func Read(name string, offset uint64, length uint32) ([]byte, error) {
	var result answer
	hostRead(unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), offset, length, unsafe.Pointer(&result))
	if err := result.err(); err != nil {
		return nil, err
	}
	return items[byte](result.list), nil
}

// Lines returns the lines of all files of the dataset that say something.
func Lines() ([]string, error) {
	files, err := Files()
	var lines []string
	for _, file := range files {
		var data []byte
		for uint64(len(data)) < file.Bytes && err == nil {
			var piece []byte
			if piece, err = Read(file.Name, uint64(len(data)), 1<<20); len(piece) == 0 {
				break
			}
			data = append(data, piece...)
		}
		lines = append(lines, LinesOf(data)...)
	}
	return lines, err
}
