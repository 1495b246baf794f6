package cifar10

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// The sample is made from the real archive by its own test.
//
//go:generate go test -run ^TestSampleIsReal$ -update .

// samplePerClass is the number of sample images of each class.
const samplePerClass = 100

// sampleBin is gzip of 1,000 records in the release's layout, in which every
// pixel but the first of a row is stored as its difference from the one on
// its left: 2.4 MB instead of 2.8.
//
//go:embed sample.bin.gz
var sampleBin []byte

// sampleIndex is a JSON array, the position of each record in the test split.
//
//go:embed sample_index.json
var sampleIndex []byte

var sample = sync.OnceValues(func() (*Dataset, error) {
	return decodeSample(sampleBin, sampleIndex)
})

// Sample returns 1,000 real test images, 100 of each class, which are part of
// the program: the first 100 of every class in the test split, in the split's
// order. Index holds their positions there. Every call returns a fresh copy.
func Sample() *Dataset {
	d, err := sample()
	if err != nil {
		panic(err) // the program itself is damaged: a test decodes the sample
	}
	return &Dataset{
		Split:  d.Split,
		Pixels: slices.Clone(d.Pixels),
		Labels: slices.Clone(d.Labels),
		Index:  slices.Clone(d.Index),
	}
}

// decodeSample is the inverse of encodeSample.
func decodeSample(bin, index []byte) (*Dataset, error) {
	n := samplePerClass * NumClasses
	d := newDataset(Test, n)
	if err := json.Unmarshal(index, &d.Index); err != nil {
		return nil, fmt.Errorf("cifar10: sample index: %w", err)
	}
	zr, err := gzip.NewReader(bytes.NewReader(bin))
	if err != nil {
		return nil, fmt.Errorf("cifar10: sample: %w", err)
	}
	all := bytes.NewBuffer(make([]byte, 0, n*recordSize+bytes.MinRead))
	if _, err := all.ReadFrom(zr); err != nil {
		return nil, fmt.Errorf("cifar10: sample: %w", err)
	}
	records := all.Bytes()
	if len(records) != n*recordSize || len(d.Index) != n {
		return nil, fmt.Errorf("cifar10: sample: %d bytes and %d indices, want %d and %d",
			len(records), len(d.Index), n*recordSize, n)
	}
	for record := range slices.Chunk(records, recordSize) {
		for row := range slices.Chunk(record[1:], Width) {
			for x := 1; x < Width; x++ {
				row[x] += row[x-1]
			}
		}
	}
	if i := decodeRecords(records, d.Pixels, d.Labels); i >= 0 {
		return nil, fmt.Errorf("cifar10: sample: record %d: label %d, want 0 to 9", i, records[i*recordSize])
	}
	return d, nil
}
