package main

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"

	"github.com/camlab-go/camlab/internal/npy"
)

// npyFile is a .npy file of float32 that grows.
type npyFile struct {
	name string
	file *os.File
	end  int64 // of the values so far
}

// open opens the file of an array without values.
func (a *npyFile) open(path string, flag int) (err error) {
	a.file, err = os.OpenFile(path, os.O_RDWR|flag, 0o644)
	a.end = npy.HeaderSize
	return err
}

// append writes and syncs values and returns their checksum.
func (a *npyFile) append(values []float32) (uint32, error) {
	b := make([]byte, 0, 4*len(values))
	b, err := binary.Append(b, binary.LittleEndian, values)
	if err != nil {
		return 0, err
	}
	if _, err := a.file.WriteAt(b, a.end); err != nil {
		return 0, err
	}
	a.end += int64(len(b))
	return crc32.ChecksumIEEE(b), a.file.Sync()
}

// has reports whether the next n values, of an earlier run, are whole.
func (a *npyFile) has(sum uint32, n int) bool {
	b := make([]byte, 4*n)
	_, err := a.file.ReadAt(b, a.end)
	return err == nil && crc32.ChecksumIEEE(b) == sum
}

func (a *npyFile) truncate() error { return a.file.Truncate(a.end) }

// finish writes the header.
func (a *npyFile) finish(shape []int) error {
	if _, err := a.file.WriteAt(npy.Header(shape), 0); err != nil {
		return err
	}
	return errors.Join(a.truncate(), a.file.Sync())
}
