package cifar10

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// batch is one .bin file of a release.
type batch struct {
	name   string
	split  Split
	first  int // position of its first image in the split
	sha256 string
}

// decode checks one batch, the whole content of a file, and writes its images
// into d, from position b.first on.
func (r *release) decode(b batch, data []byte, file string, d *Dataset) error {
	if err := r.checkSize(file, int64(len(data))); err != nil {
		return err
	}
	pixels := d.Pixels[b.first*imageSize:][:r.records*imageSize]
	labels := d.Labels[b.first:][:r.records]
	if i := decodeRecords(data, pixels, labels); i >= 0 {
		return &Error{
			File: file, Record: i, Kind: ErrLabel,
			What: fmt.Sprintf("label %d", data[i*recordSize]),
			Want: fmt.Sprintf("0 to %d", NumClasses-1),
		}
	}
	return checkSum(b, data, file)
}

// checkSize fails unless a file of size bytes holds exactly one batch.
func (r *release) checkSize(file string, size int64) error {
	want := int64(r.records) * recordSize
	if size == want {
		return nil
	}
	return &Error{
		File: file, Record: -1, Kind: ErrSize,
		What: fmt.Sprintf("%d bytes", size),
		Want: fmt.Sprintf("%d (%d records of %d)", want, r.records, recordSize),
	}
}

// checkSum fails unless data has the batch's sha256.
func checkSum(b batch, data []byte, file string) error {
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != b.sha256 {
		return &Error{
			File: file, Record: -1, Kind: ErrChecksum,
			What: "sha256 " + got, Want: b.sha256,
		}
	}
	return nil
}

// decodeRecords turns len(labels) records, planes of red, green and blue, into
// labels and interleaved pixels. It returns the first record whose label is
// above 9, where it stops, or -1.
func decodeRecords(records, pixels []byte, labels []uint8) int {
	for i := range labels {
		src := (*[recordSize]byte)(records[i*recordSize:])
		dst := (*[imageSize]byte)(pixels[i*imageSize:])
		if src[0] >= NumClasses {
			return i
		}
		labels[i] = src[0]
		for p := range planeSize {
			dst[Channels*p] = src[1+p]
			dst[Channels*p+1] = src[1+planeSize+p]
			dst[Channels*p+2] = src[1+2*planeSize+p]
		}
	}
	return -1
}
