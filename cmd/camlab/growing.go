package main

import (
	"encoding/binary"
	"hash/crc32"
	"os"

	"github.com/camlab-go/camlab/internal/npy"
)

// growing is a file that grows by what each unit of work adds to it. An array, of
// float32, is whole at any time: its header counts the rows that are there.
type growing struct {
	name  string
	array bool
	file  *os.File
	row   []int // the shape of a row, once there is one
	end   int64
}

// piece is what a unit added to a file.
type piece struct {
	Size int64  `json:"size"`
	Sum  uint32 `json:"crc32"`
}

// open opens the file without what was added to it.
func (g *growing) open(path string, flag int) (err error) {
	g.file, err = os.OpenFile(path, os.O_RDWR|flag, 0o644)
	g.end = 0
	if g.array {
		g.end = npy.HeaderSize
	}
	return err
}

// append adds to the file.
func (g *growing) append(b []byte) (piece, error) {
	if _, err := g.file.WriteAt(b, g.end); err != nil {
		return piece{}, err
	}
	g.end += int64(len(b))
	return piece{int64(len(b)), crc32.ChecksumIEEE(b)}, g.writeHeader()
}

// has reports whether what comes next, of an earlier run, is whole.
func (g *growing) has(p piece) bool {
	b := make([]byte, p.Size)
	_, err := g.file.ReadAt(b, g.end)
	return err == nil && crc32.ChecksumIEEE(b) == p.Sum
}

// truncate removes what comes next.
func (g *growing) truncate() error {
	if err := g.file.Truncate(g.end); err != nil {
		return err
	}
	return g.writeHeader()
}

// writeHeader writes an array's header.
func (g *growing) writeHeader() error {
	if g.row == nil {
		return nil
	}
	_, err := g.file.WriteAt(npy.Header(g.shape()), 0)
	return err
}

// shape is an array's.
func (g *growing) shape() []int {
	size := int64(4)
	for _, d := range g.row {
		size *= int64(d)
	}
	return append([]int{int((g.end - npy.HeaderSize) / size)}, g.row...)
}

// bytesOf are values as an array holds them.
func bytesOf(values []float32) []byte {
	b, _ := binary.Append(make([]byte, 0, 4*len(values)), binary.LittleEndian, values) // of a size that is known
	return b
}
